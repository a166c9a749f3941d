"""Repeated sign-ins, successful or not, neither slow down others nor fill memory."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tests.cast import PASSWORD
from tests.installations import ChatServer
from tests.markers import first_of

pytestmark = [pytest.mark.servers, pytest.mark.slow]

SECONDS = 4
PAGE_SECONDS = 2.0
# With the password hasher of production, because its cost matters here.
REAL_HASHER = {"DJANGO_SETTINGS_MODULE": "chatty.settings"}


def sign_in(place: ChatServer, email: str, password: str) -> int:
    body = json.dumps({"email": email, "password": password}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{place.url}/api/token/", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def slowest_page(place: ChatServer, until: float) -> float:
    slowest = 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        with urllib.request.urlopen(f"{place.url}/sign-in/", timeout=30) as answer:
            assert answer.status == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def resident(place: ChatServer) -> int:
    """Return the server's memory in MiB."""
    assert place.process is not None
    status = Path(f"/proc/{place.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) // 1024


@pytest.mark.parametrize("limit", first_of("10000/m", "10/5m"))
def test_pages_are_served_during_a_sign_in_flood(installation, limit):
    """Also without the limit: the limit on parallel hashes alone keeps threads free."""
    place = installation.serve(LIMIT_SIGN_IN=limit, **REAL_HASHER)
    assert (
        sign_in(place, "alice@example.org", PASSWORD) == 200
    )  # upgrades her hash to the real hasher
    until = time.monotonic() + SECONDS
    codes: Counter[int] = Counter()

    def attack() -> None:
        while time.monotonic() < until:
            codes[sign_in(place, "alice@example.org", PASSWORD)] += 1

    threads = [threading.Thread(target=attack) for _ in range(8)]
    for thread in threads:
        thread.start()
    slowest = slowest_page(place, until)
    for thread in threads:
        thread.join()
    assert slowest < PAGE_SECONDS
    assert codes[200] >= 1
    assert set(codes) <= {200, 429, 503}
    if limit == "10/5m":
        # As many again because the address is known, and what the limit refills in this time.
        assert codes[200] <= 22


@pytest.mark.long
def test_overlong_emails_do_not_fill_memory(installation):
    place = installation.serve(LIMIT_SIGN_IN="10/5m", **REAL_HASHER)
    sign_in(place, "a" * 950_000, "x")
    before = resident(place)
    for n in range(50):
        assert sign_in(place, f"{n}" + "a" * 950_000, "x") == 400
    assert resident(place) < before + 32
