"""Administrators see what waits and what has failed, try it again or drop it; no addresses are shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatty.jobs import deliveries, queue
from chatty.jobs.models import Delivery, Destination, Job
from tests.html import visible

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> Job:
    queue.ensure("purge_sessions")
    Job.objects.update(set_aside_at=timezone.now(), failures=10, error="ValueError")
    return Job.objects.get()


@pytest.fixture
def delivery() -> Delivery:
    data = {"email": "someone@example.org", "site": "https://chat.example.org", "language": "en"}
    row = deliveries.deliver("email", "mail server", "password_reset", data)
    Delivery.objects.update(set_aside_at=timezone.now(), failures=3, error="RefusedError: 550")
    return row


def url(model: type, page: str = "changelist", *arguments: object) -> str:
    return reverse(f"admin:jobs_{model.__name__.lower()}_{page}", args=arguments)


def post(client: Client, row: Job | Delivery | Destination, action: str, **more: str) -> str:
    data = {"action": action, "_selected_action": [row.pk], **more}
    return visible(client.post(url(type(row)), data, follow=True))


def test_jobs_are_listed_with_their_error_and_tried_again(admin, job):
    page = visible(admin.get(url(Job)))
    assert "purge_sessions" in page
    assert "ValueError" in page
    assert admin.get(url(Job, "change", job.pk)).status_code == 200
    assert "1 is tried again within seconds." in post(admin, job, "try_again")
    job.refresh_from_db()
    assert (job.set_aside_at, job.failures) == (None, 0)


def test_deliveries_are_listed_without_addresses_and_tried_again(admin, delivery):
    for page in (admin.get(url(Delivery)), admin.get(url(Delivery, "change", delivery.pk))):
        html = page.content.decode()
        assert "password_reset" in html
        assert "RefusedError: 550" in html
        assert "someone" not in html
        assert delivery.reference not in html
    post(admin, delivery, "try_again")
    delivery.refresh_from_db()
    assert delivery.set_aside_at is None


def test_dropping_asks_first(admin, delivery):
    page = post(admin, delivery, "delete_selected")
    assert "Are you sure" in page
    assert "someone" not in page
    assert Delivery.objects.exists()
    post(admin, delivery, "delete_selected", post="yes")
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("from_list", [True, False])
def test_recurring_job_that_is_dropped_begins_again(admin, job, from_list):
    if from_list:
        post(admin, job, "delete_selected", post="yes")
    else:
        admin.post(url(Job, "delete", job.pk), {"post": "yes"})
    assert not Job.objects.filter(set_aside_at__isnull=False).exists()
    assert Job.objects.filter(name=job.name).count() == 1


def test_unreachable_destinations_are_tried_again(admin):
    later = timezone.now() + timedelta(hours=1)
    row = Destination.objects.create(
        name="mail server", failed_at=timezone.now(), retry_at=later, error="DestinationError: 421"
    )
    assert "421" in visible(admin.get(url(Destination)))
    post(admin, row, "try_again")
    row.refresh_from_db()
    assert row.retry_at <= timezone.now()


def test_filters_are_restricted(admin, delivery):
    assert admin.get(url(Delivery) + "?set_aside_at__isempty=0").status_code == 200
    guess = admin.get(url(Delivery) + "?data__email__startswith=some", follow=True)
    assert guess.status_code == 400 or "e=1" in guess.request["QUERY_STRING"]


def test_each_permission_is_needed(root, admin, job, delivery):
    root.is_superuser = False
    root.save()
    for row in (job, delivery):
        assert admin.get(url(type(row))).status_code == 403
        assert admin.post(url(type(row)), {"action": "try_again"}).status_code == 403
    assert "Deliveries" not in visible(admin.get(reverse("admin:index")))

    root.user_permissions.set(permissions("view_job", "view_delivery"))
    for row in (job, delivery):
        assert admin.get(url(type(row))).status_code == 200
        post(admin, row, "try_again")
        row.refresh_from_db()
        assert row.set_aside_at is not None

    root.user_permissions.add(*permissions("change_job", "change_delivery"))
    for row in (job, delivery):
        post(admin, row, "try_again")
        row.refresh_from_db()
        assert row.set_aside_at is None


def permissions(*names: str) -> list[Permission]:
    return list(Permission.objects.filter(content_type__app_label="jobs", codename__in=names))
