"""The files in deploy/ match the servers that they configure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from accounts import pictures
from chatty.common.errors import CODES
from chatty.jobs import delivery_worker
from chatty.ops import health, logs, metrics
from chatty.ops.observer import route_class
from chatty.server import proxy_headers, uvicorn_server
from conversations import limits, protocol
from conversations.realtime import writer

ROOT = Path(__file__).resolve().parent.parent
NGINX = re.sub(r"#.*", "", (ROOT / "deploy/nginx.conf").read_text())
CADDY = re.sub(r"#.*", "", (ROOT / "deploy/Caddyfile").read_text())
UNITS = sorted((ROOT / "deploy").glob("*.service"))


def directive(name: str, text: str = NGINX) -> list[list[str]]:
    """Return the arguments of each `name a b;`."""
    return [found.split() for found in re.findall(rf"\b{name}\s+([^;{{}}]+);", text)]


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def sent_on() -> dict[str, str]:
    return {name.lower(): value for name, value in directive("proxy_set_header")}


def test_proxies_add_security_headers():
    policy = "\"default-src 'none'; frame-ancestors 'none'\""
    wanted = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": policy,
        "Strict-Transport-Security": "max-age=31536000",
    }
    added = {name: (variable, always) for name, variable, always in directive("add_header")}
    assert set(added) == set(wanted)
    for name, value in wanted.items():
        variable, always = added[name]
        assert always == "always"  # also for errors
        assert f"?{name} {value}\n" in CADDY
        upstream = name.lower().replace("-", "_")
        (mapped,) = re.findall(
            rf"map \$upstream_http_{upstream} \{variable} {{\s+\"\"\s+(.+);", NGINX
        )
        assert mapped.strip('"') == value.strip('"')


def test_nginx_upgrades_only_websockets():
    assert directive("proxy_http_version") == [["1.1"]]
    assert sent_on()["upgrade"] == "$chatty_upgrade"
    assert sent_on()["connection"] == "$chatty_connection"
    assert '"~*^websocket$" websocket;' in NGINX
    assert re.findall(r"default\s+(\S+);", NGINX)[:2] == ['""', '""']
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        assert seconds(directive(name)[0][0]) > 2 * protocol.HEARTBEAT_SECONDS


def test_nginx_overwrites_every_trusted_header():
    """Otherwise Chatty would trust a header that nginx passes on from the client."""
    source = Path(proxy_headers.__file__).read_text()
    believed = set(re.findall(r'headers(?:\.get\(|, )b"([\w-]+)"', source))
    assert believed == {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}
    assert {name: sent_on()[name] for name in believed} == {
        "x-forwarded-for": "$remote_addr",
        "x-forwarded-proto": "$scheme",
        "x-forwarded-host": "$http_host",
    }
    assert sent_on()["host"] == "$http_host"


def test_proxies_allow_bodies_as_large_as_chatty():
    assert settings.HTTP_BODY_MAX + pictures.BYTES_MAX == 6 * 1024 * 1024
    # And a form with the files of a message, which is as large as they are.
    form = limits.FILES_MAX * limits.file_max() + settings.HTTP_BODY_MAX
    assert form == 1001 * 1024 * 1024
    assert directive("client_max_body_size") == [["6m"], ["1001m"]]
    assert re.search(r"@others \{\s+max_size 6MiB\b", CADDY)
    assert re.search(r"@forms \{\s+max_size 1001MiB\b", CADDY)
    assert seconds(directive("client_body_timeout")[0][0]) == settings.HTTP_BODY_SECONDS
    assert seconds(directive("client_header_timeout")[0][0]) == settings.HTTP_HEADER_SECONDS


def test_proxies_close_idle_connections_before_chatty():
    chatty = min(uvicorn_server.configuration().timeout_keep_alive, uvicorn_server.IDLE_SECONDS)
    assert seconds(directive("keepalive_timeout")[0][0]) < chatty
    kept = re.search(r"keepalive (\d+s)", CADDY)
    assert kept
    assert seconds(kept[1]) < chatty


def test_caddy_notices_a_stopping_process_in_time():
    interval = re.search(r"health_uri /readyz\s+health_interval (\d+)ms", CADDY)
    assert interval
    assert int(interval[1]) / 1000 * 2 < health.NOTICE_SECONDS


def test_nginx_retries_only_failed_connections():
    assert directive("proxy_next_upstream") == [["error", "timeout"]]
    lines = re.findall(
        r"^\s*#?(server 127.*);", (ROOT / "deploy/nginx.conf").read_text(), re.MULTILINE
    )
    assert len(lines) == 2
    assert all(line.endswith(" max_fails=0") for line in lines)


def test_metrics_and_readyz_are_not_public():
    for path in ("/metrics", "/readyz"):
        assert re.search(rf"location = {path}\s*{{ return 404; }}", NGINX)
    assert re.search(r"@machines path /metrics /readyz\s+respond @machines 404", CADDY)


def test_there_are_three_units():
    assert [path.name for path in UNITS] == [
        "chatty-work.service",
        "chatty.service",
        "chatty@.service",
    ]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_unit_stop_timeout_allows_a_graceful_shutdown(path):
    unit = dict(
        line.split("=", 1) for line in path.read_text().splitlines() if re.match(r"\w+=", line)
    )
    # The parent waits five seconds longer than its workers.
    longest = writer.DRAIN_SECONDS + health.NOTICE_SECONDS + uvicorn_server.IDLE_SECONDS
    longest += settings.SHUTDOWN_SECONDS + delivery_worker.STOP_SECONDS + 5
    assert int(unit["TimeoutStopSec"]) > longest
    assert unit["KillMode"] == "mixed"
    assert "KillSignal" not in unit  # SIGTERM by default
    command = "work" if path.name == "chatty-work.service" else "serve"
    assert f" manage.py {command}" in unit["ExecStart"]
    assert unit["User"] == "chatty"
    assert unit["ProtectSystem"] == "strict"
    assert unit["NoNewPrivileges"] == "yes"
    assert unit["StateDirectory"] == "chatty"
    assert unit["StateDirectoryMode"] == "0700"
    assert unit["UMask"] == "0077"


def test_units_differ_only_in_their_processes():
    work, one, each = ({*path.read_text().partition("[Unit]")[2].splitlines()} for path in UNITS)

    def differing(unit: set[str]) -> set[str]:
        return {line.partition("=")[0] for line in one ^ unit if not line.startswith("#")}

    assert differing(each) == {"Description", "Environment", "ExecStart"}
    assert differing(work) == {"Description", "Environment", "ExecStart", "LimitNOFILE"}


# --- alert rules and the dashboard --------------------------------------------------------------------


def known_series() -> set[str]:
    names = {"up", "process_resident_memory_bytes"}
    for family in text_string_to_metric_families(metrics.text().decode()):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        names |= {family.name + end for end in ends.get(family.type, [""])}
    return names


def series_in(expression: str) -> set[str]:
    outside = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expression)
    outside = re.sub(r"\b(by|on|without)\s*\([^)]*\)", "", outside)
    return set(re.findall(r"\b(chatty_\w+|process_\w+|up)\b", outside))


def label_values(expression: str, label: str) -> set[str]:
    found = re.findall(rf'\b{label}=~?"([^"]*)"', expression)
    return {value for values in found for value in values.split("|")}


def expressions() -> list[str]:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    board = json.loads((ROOT / "deploy/grafana/chatty.json").read_text())
    return found + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_alerts_and_dashboard_use_existing_metrics():
    asked = [(expression, series_in(expression)) for expression in expressions()]
    assert len(asked) > 20
    assert [expression for expression, series in asked if not series] == []
    assert set().union(*(series for _expression, series in asked)) <= known_series()


def test_alerts_and_dashboard_use_existing_labels():
    assert set().union(*(label_values(e, "route") for e in expressions())) <= {
        route_class(path) for path in ("/", "/api/", "/static/x", "/admin/", "/healthz")
    }
    outcomes = {*CODES, "stored", "sent", "failed"}
    assert set().union(*(label_values(e, "outcome") for e in expressions())) <= outcomes
    assert set().union(*(label_values(e, "code") for e in expressions())) <= set(CODES)


def test_every_metric_is_in_the_dashboard_or_listed_as_left_out():
    left_out = {
        "chatty_gap_resets_total", "chatty_http_requests_refused_total", "chatty_publish_drops_total",
        "chatty_database_pool_request_errors", "chatty_message_batch_size_bucket",
    }  # fmt: skip
    ours = {n for n in known_series() if n.startswith("chatty_")}
    ours = {n for n in ours if not n.endswith(("_sum", "_count"))}
    board = (ROOT / "deploy/grafana/chatty.json").read_text()
    assert {name for name in ours if name not in board} == left_out


# --- the log of nginx ---------------------------------------------------------------------------------


def test_nginx_logs_no_secrets_of_links():
    (form,) = re.findall(r"log_format chatty(.*?);", NGINX, re.DOTALL)
    logged = set(re.findall(r"\$(\w+)", form))
    assert not logged & {"request", "request_uri", "args", "query_string", "http_referer", "uri"}
    (secret,) = re.findall(r"location ~ \^/\(([^)]*)\)/ \{\s+error_log /dev/null", NGINX)
    assert {f"/{path}/" for path in secret.split("|")} == set(logs.SECRET_PATHS)
    assert f"(?<chatty_prefix>/({secret})/)" in NGINX
