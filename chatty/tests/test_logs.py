"""What a log line contains, and what it must never contain."""

from __future__ import annotations

import json
import logging
import re

import pytest
from django.db import DataError, IntegrityError
from django.test import Client

from chatty.ops import logs


@pytest.fixture
def line():
    """line(message, *args, **kwargs) returns the line that log.error() would write."""

    def line(message, *args, error=None, **extra):
        exc_info = (type(error), error, error.__traceback__) if error else None
        record = logging.makeLogRecord(
            {"name": "chatty", "levelname": "ERROR", "msg": message, "args": args}
            | {"exc_info": exc_info}
            | extra
        )
        logs.RouteFilter().filter(record)
        return logs.LineFormatter().format(record)

    return line


def raised(error):
    try:
        raise error
    except Exception as caught:
        return caught


def test_line_has_time_level_logger_message_and_values(line):
    text = line("%s sockets", 3, conversation=7)
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z ERROR chatty 3 sockets conversation=7", text
    )


def test_line_breaks_are_escaped(line):
    text = line("hello %s", "x\nERROR forged\r\x1b[31m", who="a\nb")
    assert "\n" not in text
    assert "\x1b" not in text
    assert r"x\nERROR forged" in text


def test_exception_messages_are_omitted(line):
    for error in (
        ValueError("invalid literal: 'CANARY'"),
        KeyError("CANARY"),
        DataError("value CANARY too long"),
        UnicodeDecodeError("utf-8", b"CANARY", 0, 1, "bad CANARY"),
    ):
        text = line("failed", error=raised(error))
        assert type(error).__name__ in text
        assert "CANARY" not in text
        assert "test_logs.py" in text


def test_database_error_details_are_omitted(line):
    words = 'duplicate key violates "one"\nDETAIL:  Failing row contains (CANARY).'
    text = line("failed", error=raised(IntegrityError(words)))
    assert 'IntegrityError: duplicate key violates "one"' in text
    assert "CANARY" not in text


def test_exception_causes_are_logged(line):
    try:
        try:
            raise OSError("disk full")
        except OSError as error:
            raise RuntimeError("not stored") from error
    except RuntimeError as error:
        text = line("failed", error=error)
    assert "RuntimeError: not stored" in text
    assert "OSError: disk full" in text


def test_repr_of_an_unretrieved_task_is_omitted(line):
    text = line("Task exception was never retrieved\nfuture: <Task CANARY>", name="asyncio")
    assert "never retrieved" in text
    assert "CANARY" not in text


@pytest.mark.django_db
@pytest.mark.urls("chatty.tests.test_error_responses")
def test_failed_request_is_logged_without_its_query(caplog):
    stranger = Client(raise_request_exception=False)
    with caplog.at_level("ERROR", "django.request"):
        page = stranger.get("/broken/?token=QUERY")
    (record,) = [record for record in caplog.records if record.name == "django.request"]
    logs.RouteFilter().filter(record)
    text = logs.LineFormatter().format(record)
    assert "GET /broken/ answered 500" in text
    assert page.status_code == 500
    assert "QUERY" not in text


def test_client_errors_are_not_logged(settings):
    loggers = settings.LOGGING["loggers"]
    assert loggers["django.request"]["level"] == "ERROR"
    assert loggers["uvicorn"]["level"] in {"WARNING", "ERROR"}


def test_json_line_has_all_fields():
    error = raised(ValueError("CANARY"))
    record = logging.makeLogRecord(
        {
            "name": "chatty", "levelname": "ERROR", "msg": "%s sockets\n", "args": (3,),
            "exc_info": (ValueError, error, error.__traceback__), "conversation": 7, "who": "a\nb",
        }
    )  # fmt: skip
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    fields = json.loads(text)
    assert (fields["message"], fields["conversation"], fields["who"]) == (
        r"3 sockets\n",
        7,
        r"a\nb",
    )
    assert fields["exception"][-1].strip() == "ValueError"
    assert "CANARY" not in text


@pytest.mark.parametrize(
    ("form", "access", "kinds"),
    [
        ("line", "off", (logs.LineFormatter, logs.AccessFormatter)),
        ("line", "json", (logs.LineFormatter, logs.JsonFormatter)),
        ("json", "on", (logs.JsonFormatter, logs.JsonFormatter)),
    ],
)
def test_settings_choose_the_formatters(form, access, kinds):
    fields = logs.configuration("info", debug=False, form=form, access=access)
    used = (fields["handlers"]["stderr"]["formatter"], fields["handlers"]["access"]["formatter"])
    assert tuple(fields["formatters"][name]["()"] for name in used) == kinds
    level = fields["loggers"]["chatty.access"]["level"]
    assert level == ("WARNING" if access == "off" else "INFO")
