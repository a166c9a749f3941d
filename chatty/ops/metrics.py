"""The metrics of a process, for Prometheus. docs/deploy.md says which ones to watch.

Rare events are counted where they happen. What happens for every delivery is counted in plain
integers, which the engine copies here from time to time (Engine.collect_metrics()): with several
workers each increment of a metric is a write into a shared file.

With several workers each stores its metrics in files in PROMETHEUS_MULTIPROC_DIR, and any of them can
return the metrics of all. prometheus-client chooses that mode when it is first imported.
"""

from __future__ import annotations

import os
from functools import cache

from django.db import connection
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from chatty.version import __version__

CONTENT_TYPE = CONTENT_TYPE_LATEST
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # the environment variable of prometheus-client

# A second series for each counter, with the time when it was created.
disable_created_metrics()  # type: ignore[no-untyped-call]

# The Python version and garbage collections are not worth monitoring. CPU, memory and open files of
# the process are meaningful only if there is one process.
REGISTRY.unregister(PLATFORM_COLLECTOR)
REGISTRY.unregister(GC_COLLECTOR)
if DIRECTORY in os.environ:
    REGISTRY.unregister(PROCESS_COLLECTOR)


def _counter(name: str, help_text: str, *labels: str) -> Counter:
    return Counter(f"chatty_{name}", help_text, labels)


def _gauge(name: str, help_text: str, mode: str = "livesum", *labels: str) -> Gauge:
    """`mode`: how the values of several workers are combined; those of dead workers do not count."""
    return Gauge(f"chatty_{name}", help_text, labels, multiprocess_mode=mode)  # type: ignore[arg-type]


def _histogram(name: str, help_text: str, bounds: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"chatty_{name}", help_text, labels, buckets=bounds)


_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0)

# --- sockets and deliveries -------------------------------------------------------------------------

SOCKETS = _gauge("websocket_connections", "Open WebSockets, including those still being accepted.")
PEOPLE_ONLINE = _gauge(
    "users_online",
    "People with a WebSocket to any process, as far as this one knows; the maximum of all workers.",
    "livemax",
)
CLOSES = _counter(
    "websocket_closes",
    "WebSockets closed by Chatty, by close code; 4408: the client did not read.",
    "code",
)
DELIVERIES = _counter(
    "deliveries", "Events written to WebSockets, counted once for each WebSocket."
)
REPAIRS = _counter(
    "gap_repairs",
    "Gaps filled: how often missing events of a conversation were read from the database.",
)
RESETS = _counter("gap_resets", "Gaps too large to fill: clients had to load the latest page.")

# --- sends ----------------------------------------------------------------------------------------------

SENDS = _counter(
    "message_sends",
    "Messages sent through WebSockets, by outcome: stored, or the error code.",
    "outcome",
)
SEND_SECONDS = _histogram(
    "message_send_duration_seconds",
    "Seconds from receiving a message on a WebSocket to the response.",
    _SECONDS,
)
COMMIT_SECONDS = _histogram(
    "message_commit_duration_seconds",
    "Seconds to store a batch of messages; the count is the number of batches.",
    _SECONDS,
)
BATCH_MESSAGES = _histogram(
    "message_batch_size", "Messages stored together.", (1, 2, 4, 8, 16, 32, 64, 128, 256)
)
WRITER_QUEUE = _gauge("message_queue_length", "Messages waiting for the next batch.")

# --- readers of the change feed -------------------------------------------------------------------------

READER_CHANGES = _counter(
    "reader_changes", "Changes handled by a reader of the change feed.", "reader"
)
READER_FAILURES = _counter(
    "reader_failures", "Batches of changes that a reader failed to handle.", "reader"
)
READER_BEHIND = _gauge(
    "reader_behind",
    "Conversations and memberships with changes that a reader has not handled; the maximum of all "
    "workers.",
    "livemax",
    "reader",
)
READER_SET_ASIDE = _gauge(
    "reader_set_aside",
    "Changes that a reader failed to handle ten times; the maximum of all workers.",
    "livemax",
    "reader",
)
READER_LAG = _gauge(
    "reader_lag_seconds",
    "For how long the oldest change that a reader has not handled has been waiting; the maximum of all "
    "workers.",
    "livemax",
    "reader",
)

# --- jobs and deliveries --------------------------------------------------------------------------------

JOBS_WAITING = _gauge(
    "jobs_waiting", "Jobs that are due, or will be tried again after a failure.", "livemax", "name"
)
JOBS_AGE = _gauge(
    "jobs_waiting_seconds",
    "For how long the oldest of the jobs that are due has been waiting.",
    "livemax",
    "name",
)
JOBS_SET_ASIDE = _gauge(
    "jobs_set_aside", "Jobs that failed too often and wait for an administrator.", "livemax", "name"
)
DELIVERIES_WAITING = _gauge(
    "outgoing_waiting",
    "Deliveries to other servers, such as emails, that have not been sent yet.",
    "livemax",
    "kind",
)
DELIVERIES_AGE = _gauge(
    "outgoing_waiting_seconds",
    "For how long the oldest of these deliveries has been waiting.",
    "livemax",
    "kind",
)
DELIVERIES_SET_ASIDE = _gauge(
    "outgoing_set_aside",
    "Deliveries that could not be sent and wait for an administrator.",
    "livemax",
    "kind",
)
DESTINATIONS_UNREACHABLE = _gauge(
    "outgoing_destinations_unreachable",
    "Other servers, such as the mail server, that could not be reached the last time.",
    "livemax",
)

# --- the channel layer ----------------------------------------------------------------------------------

LAYER_UP = _gauge(
    "channel_layer_up",
    "1 while the channel layer returns the probes of this process, else 0; the minimum of all workers.",
    "livemin",
)
PUBLISHER_QUEUE = _gauge("publish_queue_length", "Events waiting for the channel layer.")
PUBLISHER_FAILURES = _counter(
    "publish_failures", "Events the channel layer did not accept; other processes find them later."
)
PUBLISHER_DROPS = _counter(
    "publish_drops", "Events dropped because too many waited; other processes find them later."
)

# --- HTTP -----------------------------------------------------------------------------------------------

HTTP_INSIDE = _gauge("http_requests_in_flight", "HTTP requests being handled or waiting.")
HTTP_RUNNING = _gauge("http_requests_running", "HTTP requests being handled.")
HTTP_REFUSED = _counter(
    "http_requests_refused",
    "HTTP requests rejected before Django, by code: busy (too many wait), too_big, invalid (too slow).",
    "code",
)


HTTP_SECONDS = _histogram(
    "http_request_duration_seconds",
    "Seconds from the headers to the end of the response, by route: page, api, admin, static, probe.",
    _SECONDS,
    "route",
)
HTTP_RESPONSES = _counter(
    "http_responses",
    "HTTP responses, by route and status; 499: the client disconnected before the response.",
    "route",
    "status",
)

# --- the database, mail, the version --------------------------------------------------------------------

POOL_CONNECTIONS = _gauge("database_pool_connections", "Open connections to PostgreSQL.")
POOL_IDLE = _gauge("database_pool_idle_connections", "Idle connections to PostgreSQL.")
POOL_WAITING = _gauge(
    "database_pool_waiting_requests", "Threads that wait for a connection from the pool."
)
POOL_ERRORS = _gauge(
    "database_pool_request_errors",
    "How often a thread got no connection from the pool in time, since the process started.",
)
MAILS = _counter("mails", "Emails, by outcome: sent or failed.", "outcome")
BUILD_INFO = Gauge(
    "chatty_build_info",
    "Always 1; the label is the version of Chatty.",
    ("version",),
    multiprocess_mode="livemax",
)
BUILD_INFO.labels(__version__).set(1)
for _outcome in ("sent", "failed"):
    MAILS.labels(_outcome)  # starts at 0, so that the first failure counts as an increase


@cache
def _route_children(route: str, status: int) -> tuple[Histogram, Counter]:
    return HTTP_SECONDS.labels(route), HTTP_RESPONSES.labels(route, str(status))


def observe_request(route: str, status: int, seconds: float) -> None:
    duration, responses = _route_children(route, status)
    duration.observe(seconds)
    responses.inc()


def collect_pool_metrics() -> None:
    """Update the metrics of PostgreSQL's pool, if there is one. Executes no query."""
    pool = getattr(connection, "pool", None) if connection.vendor == "postgresql" else None
    if pool is None:
        return
    stats = pool.get_stats()
    POOL_CONNECTIONS.set(stats.get("pool_size", 0))
    POOL_IDLE.set(stats.get("pool_available", 0))
    POOL_WAITING.set(stats.get("requests_waiting", 0))
    POOL_ERRORS.set(stats.get("requests_errors", 0))


def text() -> bytes:
    """Return all metrics in Prometheus's text format.

    With several workers this reads their files, so it must not run in an event loop.
    """
    if DIRECTORY not in os.environ:
        return generate_latest()
    together = CollectorRegistry()
    multiprocess.MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)


def forget_worker(pid: int) -> None:
    """Remove a dead worker's gauges from the totals. Its counters stay."""
    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
