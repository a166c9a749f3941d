"""Structured logs: one line per event, without messages, tokens, cookies or query strings.

A line is `time LEVEL logger message key=value ...`, where `extra={...}` becomes key=value. Tracebacks
show file names and line numbers. An exception's message is included only if it cannot quote user
input. Those of ValueError, KeyError and similar can, and so can PostgreSQL's details: they are left out.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError

request_id: ContextVar[str] = ContextVar("request_id", default="")

# The messages of these quote the invalid value.
_QUOTING = (ValueError, LookupError, DataError, ValidationError)
# The messages of these name only columns, files and attributes.
_SAYABLE = (
    DatabaseError, OSError, RuntimeError, TypeError, AttributeError, ImportError, NameError,
)  # fmt: skip
_LONGEST = 300
# Attributes of every record. Any other is from `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# Never shown. Django attaches the request to its records; RouteFilter below adds its safe parts.
_NEVER = frozenset(
    {"request", "status_code", "exc_info", "server_time", "sql", "params", "duration", "alias"}
)

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configuration(
    level: str, debug: bool, *, form: str = "line", access: str = "off"
) -> dict[str, Any]:
    """Return the dictConfig for Django's LOGGING. With `debug`, exceptions are logged in full.

    `form`: "line" or "json", for everything. `access`: "off", "on" or "json", for the access log.
    """
    access_form = "json" if access == "json" else form
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"route": {"()": RouteFilter}},
        "formatters": {
            "line": {"()": LineFormatter, "tell_all": debug},
            "json": {"()": JsonFormatter, "tell_all": debug},
            "access": {"()": JsonFormatter if access_form == "json" else AccessFormatter},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["route"],
            },
            "access": {"class": "logging.StreamHandler", "formatter": "access"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "chatty": {"level": level.upper()},
            # Independent of LOG_LEVEL: it has its own setting.
            "chatty.access": {
                "handlers": ["access"],
                "level": "WARNING" if access == "off" else "INFO",
                "propagate": False,
            },
            "accounts": {"level": level.upper()},
            # Independent of LOG_LEVEL: fail2ban parses it.
            "accounts.failures": {"level": "WARNING"},
            "conversations": {"level": level.upper()},
            "django": {"handlers": [], "level": "WARNING", "propagate": True},
            # Only errors of the server, not a bot's requests for /wp-admin/.
            "django.request": {"level": "ERROR"},
            "django.security": {"level": "ERROR"},
            "django.security.DisallowedHost": {
                "level": "CRITICAL"
            },  # error_responses.py logs a better message
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            # At INFO uvicorn logs the query string of every socket, at WARNING every invalid request.
            "uvicorn": {"handlers": [], "level": "ERROR", "propagate": True},
            "daphne": {"level": "WARNING"},
            # It logs a traceback every second while Redis is unavailable. The relay logs that once.
            "channels_redis": {"level": "CRITICAL"},
        },
    }


class RouteFilter(logging.Filter):
    """Logs the route of a request instead of its path, which may contain an invitation's secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if request is not None:
            match = getattr(request, "resolver_match", None)
            record.msg = "%s /%s answered %s" if match else "%s %s answered %s"
            record.args = (
                getattr(request, "method", "?"),
                match.route if match else "(no route)",
                getattr(record, "status_code", "?"),
            )
        return True


class LineFormatter(logging.Formatter):
    def __init__(self, tell_all: bool = False) -> None:
        super().__init__()
        self.tell_all = tell_all

    def format(self, record: logging.LogRecord) -> str:
        parts = [self._stamp(record), record.levelname, record.name]
        parts.append(one_line(self._message(record), _LONGEST * 4))
        if request_id.get():
            parts.append(f"request={request_id.get()}")
        for key, value in vars(record).items():
            if key not in _STANDARD and key not in _NEVER:
                parts.append(f"{key}={one_line(str(value), _LONGEST)}")
        line = " ".join(parts)
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + self.formatException(record.exc_info)
        return line

    @staticmethod
    def _stamp(record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{stamp}.{int(record.msecs):03d}Z"

    @staticmethod
    def _message(record: logging.LogRecord) -> str:
        message = record.getMessage()
        if (
            record.name == "asyncio"
        ):  # the following lines are reprs of futures, with all their data
            message = message.partition("\n")[0]
        return message

    def formatException(self, ei: ExcInfo | Any) -> str:  # noqa: N802 (the library's name)
        if self.tell_all:
            return super().formatException(ei)
        chain: list[str] = []
        error: BaseException | None = ei[1]
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            chain += format_frames(error.__traceback__)
            chain.append(f"  {describe_error(error)}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(chain)


class AccessFormatter(LineFormatter):
    """A line of the access log, without key=value pairs that repeat its message."""

    def format(self, record: logging.LogRecord) -> str:
        record = logging.makeLogRecord(
            {k: v for k, v in vars(record).items() if k not in {"method", "path", "status"}}
        )
        return super().format(record)


class JsonFormatter(LineFormatter):
    """One JSON object per event. A traceback is a list of lines in "exception"."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": self._stamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": one_line(self._message(record), _LONGEST * 4),
        }
        if request_id.get():
            fields["request"] = request_id.get()
        for key, value in vars(record).items():
            if key not in _STANDARD and key not in _NEVER:
                plain = isinstance(value, (int, float, bool)) or value is None
                fields[key] = value if plain else one_line(str(value), _LONGEST)
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = self.formatException(record.exc_info).split("\n")
        return json.dumps(fields, ensure_ascii=False)


# The rest of these paths is a secret that only the recipient of the link may know.
SECRET_PATHS = ("/password/reset/", "/invite/", "/confirm/", "/ask/")


def safe_path(path: str) -> str:
    """Return a path for the log: on one line, without the secrets in links."""
    for prefix in SECRET_PATHS:
        if path.startswith(prefix) and path != prefix:
            return prefix + "..."
    return one_line(path, _LONGEST)


def format_frames(trace: TracebackType | None) -> list[str]:
    """Format our own frames and the last two, which may be in a library. Those in between add nothing."""
    frames = traceback.extract_tb(trace)
    fields = [
        frame
        for index, frame in enumerate(frames)
        if "site-packages" not in frame.filename or index >= len(frames) - 2
    ]
    return [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in fields]


def describe_error(error: BaseException) -> str:
    """Return the exception's type and, if it cannot quote input, the first line of its message."""
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, _QUOTING):
        return name
    # psycopg's DataError, chained below Django's, quotes input too.
    if any(base.__name__ == "DataError" for base in type(error).__mro__):
        return name
    if not isinstance(error, _SAYABLE):
        return name
    first_line = str(error).partition("\n")[0]
    return f"{name}: {one_line(first_line, _LONGEST)}"


def one_line(text: str, longest: int) -> str:
    """Escape line breaks and other controls, so that input cannot forge a log line."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"
