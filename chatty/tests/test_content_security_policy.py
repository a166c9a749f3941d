"""The Content-Security-Policy: with Trusted Types wherever the scripts are ours."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def policy_of(path: str) -> dict[str, list[str]]:
    response = Client().get(path)
    directives = response.headers["Content-Security-Policy"].split("; ")
    return {name: values for name, *values in (each.split() for each in directives)}


@pytest.mark.parametrize("path", ["/sign-in/", "/", "/help/", "/none/", "/service-worker.js"])
def test_our_pages_allow_one_policy_for_trusted_types(path):
    policy = policy_of(path)
    assert policy["require-trusted-types-for"] == ["'script'"]
    assert policy["trusted-types"] == ["chatty"]


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/", "/api/docs"])
def test_pages_with_scripts_of_others_have_the_rest_of_the_policy(path):
    ours, theirs = policy_of("/sign-in/"), policy_of(path)
    assert not {"require-trusted-types-for", "trusted-types"} & set(theirs)
    assert set(ours) - set(theirs) == {"require-trusted-types-for", "trusted-types"}
    assert theirs["default-src"] == ["'none'"]
