"""Metrics: each has a description, and those of several workers are combined."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from chatty.conf import checks
from chatty.ops import metrics
from chatty.version import __version__

ROOT = Path(__file__).resolve().parents[2]


def test_every_metric_has_a_description():
    families = list(text_string_to_metric_families(metrics.text().decode()))
    ours = [family for family in families if family.name.startswith("chatty_")]
    assert len(ours) >= 15
    assert [family.name for family in ours if len(family.documentation) < 20] == []
    # Metrics in seconds have it in their name.
    assert [f.name for f in ours if f.type == "histogram" and "_size" not in f.name] == [
        "chatty_message_send_duration_seconds",
        "chatty_message_commit_duration_seconds",
        "chatty_http_request_duration_seconds",
    ]


def test_every_metric_is_documented():
    text = (ROOT / "docs/deploy.md").read_text()
    named = set(re.findall(r"`(chatty_\w+)", text))
    real = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in text_string_to_metric_families(metrics.text().decode())
        if family.name.startswith("chatty_")
    }
    assert named == real


WORKER = """
from chatty.ops import metrics
metrics.DELIVERIES.inc(3)
metrics.SOCKETS.inc(2)
metrics.LAYER_UP.set({up})
metrics.SEND_SECONDS.observe(0.03)
print(__import__("os").getpid())
"""


def work(directory, up):
    """Run one worker to its end; return its process id."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER.format(up=up)],
        cwd=ROOT,
        env={**os.environ, metrics.DIRECTORY: str(directory)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def together(directory, monkeypatch):
    monkeypatch.setenv(metrics.DIRECTORY, str(directory))
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if not sample.labels
    }


def test_build_info_has_the_version():
    assert f'chatty_build_info{{version="{__version__}"}} 1.0' in metrics.text().decode()


def test_version_command_prints_the_version():
    done = subprocess.run(
        [sys.executable, "manage.py", "version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"Chatty {__version__}\n"
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## {re.escape(__version__)} \(\d{{4}}-\d\d-\d\d\)$", changes, re.MULTILINE)


def test_metrics_of_several_workers_are_combined(tmp_path, monkeypatch):
    work(tmp_path, up=1)
    dead = work(tmp_path, up=0)
    numbers = together(tmp_path, monkeypatch)
    assert numbers["chatty_deliveries_total"] == 6
    assert numbers["chatty_websocket_connections"] == 4
    assert numbers["chatty_message_send_duration_seconds_count"] == 2
    # One disconnected worker is enough to be reported.
    assert numbers["chatty_channel_layer_up"] == 0
    metrics.forget_worker(dead)
    numbers = together(tmp_path, monkeypatch)
    assert numbers["chatty_websocket_connections"] == 2
    assert numbers["chatty_channel_layer_up"] == 1
    assert numbers["chatty_deliveries_total"] == 6


def test_short_metrics_token_is_an_error(settings):
    for token, found in (("", []), ("x" * 31, ["chatty.E009"]), ("x" * 32, [])):
        settings.METRICS_TOKEN = token
        assert [fault.id for fault in checks.metrics_token_is_strong(None)] == found
