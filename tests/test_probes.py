"""Health checks and metrics of real servers, during a chat and during outages."""

from __future__ import annotations

import http.client
import json
import os
import signal
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.installations import eventually
from tests.sockets import Member, open_sockets

pytestmark = pytest.mark.servers

TOKEN = "0123456789abcdef0123456789abcdef"


def get(server, path, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def ready(server):
    status, body = get(server, "/readyz")
    return status, json.loads(body)


def numbers(server, **headers):
    """Return {name or name{label}: value}."""
    status, text = get(server, "/metrics", **headers)
    assert status == 200, text
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_activity_is_counted(installation):
    server = installation.serve()
    assert ready(server) == (200, {"status": "ok", "database": "ok", "layer": "unused"})
    alice, bob = (Member(server, name).sign_in() for name in ("Alice", "Bob"))
    tea = alice.create_conversation(bob)
    with open_sockets() as opened:
        hers, his = opened(alice), opened(bob)
        before = numbers(server)
        assert before["chatty_websocket_connections"] == 2
        for number in range(10):
            hers.send_and_wait(tea, f"word {number}")
        his.expect_body(tea, "word 9")
        hers.send(tea + 1000, "to nobody")
        hers.take("error", code="not_found")
        after = numbers(server)
        assert after["chatty_deliveries_total"] - before["chatty_deliveries_total"] == 20
        assert (
            after["chatty_message_sends_total{stored}"]
            - before["chatty_message_sends_total{stored}"]
            == 10
        )
        assert after["chatty_message_sends_total{not_found}"] == 1
        assert after["chatty_message_send_duration_seconds_count"] == 11
        assert after["chatty_message_batch_size_sum"] == 11
        assert (
            0
            < after["chatty_message_commit_duration_seconds_sum"]
            <= after["chatty_message_send_duration_seconds_sum"]
        )
        assert after["chatty_message_queue_length"] == 0
        assert (
            after["chatty_gap_repairs_total"] == after["chatty_websocket_closes_total{4408}"] == 0
        )
        assert after["process_resident_memory_bytes"] > 1e6
        alice.ask("POST", "/api/token/logout/", {"refresh": alice.refresh})
        assert hers.close_code() == 4001
    eventually(lambda: numbers(server)["chatty_websocket_connections"] == 0)
    assert numbers(server)["chatty_websocket_closes_total{4001}"] == 1


def test_missing_channel_layer_is_reported_as_degraded(production_installation):
    server = production_installation.serve(TICK_SECONDS="0.5")
    assert ready(server) == (200, {"status": "ok", "database": "ok", "layer": "ok"})
    assert numbers(server)["chatty_channel_layer_up"] == 1
    production_installation.redis.stop()
    down = {"status": "degraded", "database": "ok", "layer": "down"}
    eventually(lambda: ready(server) == (200, down))
    assert numbers(server)["chatty_channel_layer_up"] == 0
    alice = Member(server, "Alice").sign_in()
    with open_sockets() as opened:
        opened(alice).send_and_wait(alice.create_conversation(), "still here")
    eventually(lambda: numbers(server)["chatty_publish_failures_total"] > 0)
    production_installation.redis.start()
    eventually(lambda: ready(server)[1]["layer"] == "ok")


def test_missing_database_is_reported_as_unavailable(own_installation):
    server = own_installation.serve()
    assert ready(server)[0] == 200
    own_installation.postgres.crash()
    eventually(lambda: ready(server)[0] == 503)
    assert ready(server)[1] == {"status": "unavailable", "database": "down", "layer": "ok"}
    assert get(server, "/metrics")[0] == 200  # metrics matter most now
    own_installation.postgres.start()
    eventually(lambda: ready(server)[0] == 200)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_worker(pid):
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.long
def test_every_worker_reports_the_metrics_of_all(production_installation):
    server = production_installation.serve("--workers", "2", METRICS_TOKEN=TOKEN)
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert get(server, "/metrics")[0] == 401
    alice = Member(server, "Alice").sign_in()
    tea = alice.create_conversation()
    with open_sockets() as opened:
        sockets = [opened(alice) for _ in range(6)]
        for socket in sockets:
            socket.send_and_wait(tea, "hello")
        for socket in sockets:
            socket.transcript(tea, 6)

        def told():
            return {
                tuple(numbers(server, **shown)[f"chatty_{name}"] for name in names)
                for _ in range(6)  # one connection each, so the workers alternate
            }

        names = (
            "websocket_connections",
            "message_sends_total{stored}",
            "message_send_duration_seconds_count",
        )
        assert told() == {(6, 6, 6)}
        eventually(lambda: numbers(server, **shown)["chatty_deliveries_total"] >= 36)

    workers = [pid for pid in children(server.process.pid) if is_worker(pid)]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    eventually(lambda: workers[0] not in children(server.process.pid))
    eventually(lambda: numbers(server, **shown)["chatty_websocket_connections"] == 0)
    assert numbers(server, **shown)["chatty_message_sends_total{stored}"] == 6  # counts remain
    assert server.terminate() == 0
