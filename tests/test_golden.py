"""The Python side of the golden cases. tests/browser/test_modules.py runs the other side."""

from __future__ import annotations

import re

import pytest

from tests.golden import files
from tests.golden.rules import RULES


@pytest.mark.parametrize("name", RULES)
def test_golden_cases_have_the_results_of_the_python_code(db: None, name: str) -> None:
    difference = files.difference(name, RULES[name])
    assert not difference, f"If this is intended, run `make golden`:\n{difference}"


def test_every_file_of_golden_cases_belongs_to_a_documented_rule() -> None:
    document = (files.HERE.parents[1] / "docs" / "architecture.md").read_text()
    listed = set(re.findall(r"`(\w+)\.json` \|", document))
    assert {path.stem for path in files.HERE.glob("*.json")} == set(RULES) == listed


def test_golden_cases_are_different() -> None:
    for name in RULES:
        inputs = [str(case["input"]) for case in files.cases_of(name)]
        assert len(inputs) == len(set(inputs)), name
