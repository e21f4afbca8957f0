"""Logs: one line an event, as JSON for programs or as text for people, of our own and of the libraries alike.

What somebody sent is nobody's business: no drawing, image, query, key or body comes into a log, nor the message of an
exception while a request is served, which may quote them. And no line can be made to look like two.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import structlog
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.processors import ExceptionRenderer, LogfmtRenderer, TimeStamper, add_log_level
from structlog.stdlib import ProcessorFormatter, add_logger_name
from structlog.tracebacks import ExceptionDictTransformer

import penread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Literal

    from structlog.typing import EventDict, ExcInfo, WrappedLogger

    from penread.server.settings import Settings

_MAX_FRAMES = 40
_LEVEL_WIDTH = len("warning")

# An encoder made once; json.dumps makes one each time. It writes ASCII, so no control character survives it.
_to_json = json.JSONEncoder(separators=(",", ":"), default=repr).encode
_to_logfmt = LogfmtRenderer(bool_as_flag=False)
_transform = ExceptionDictTransformer(show_locals=False, max_frames=_MAX_FRAMES)


def configure(format: Literal["text", "json"], level: str) -> None:  # noqa: A002 - it is the setting's name
    """Sets up all logging of the process, to stderr. uvicorn's own set-up must be off: ``log_config=None``.

    Args:
        format: "json" for an object a line, "text" for people.
        level: "debug", "info", "warning" or "error". Libraries' debug lines, which may tell of content, never come.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Callable[[WrappedLogger, str, EventDict], Any]] = [
        merge_contextvars,
        add_log_level,
        TimeStamper(fmt="iso", utc=True),
        _add_pid,
        ExceptionRenderer(_describe_openly if number <= logging.DEBUG else _describe),
    ]
    render = _render_json if format == "json" else _render_text

    def render_bytes(logger: WrappedLogger, method: str, event_dict: EventDict) -> bytes:
        return render(logger, method, event_dict).encode()

    structlog.configure(
        processors=[*shared, render_bytes],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[add_logger_name, *shared], processors=[ProcessorFormatter.remove_processors_meta, render]
        )
    )
    root = logging.getLogger()
    for other in root.handlers[:]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(max(number, logging.INFO))
    for name in ("uvicorn", "uvicorn.error"):
        uvicorn = logging.getLogger(name)
        uvicorn.handlers.clear()
        uvicorn.propagate = True
    # Observe's line has all that this one would say.
    logging.getLogger("uvicorn.access").disabled = True
    # Warnings, too: a line of JSON each, not two of text.
    logging.captureWarnings(capture=True)


def started(settings: Settings, models: Mapping[str, str]) -> None:
    """Logs that the process serves, and what.

    Args:
        settings: Its settings. Secrets are left out.
        models: The version of each model, by name.
    """
    said = settings.model_dump(mode="json", exclude={"api_keys", "rate_limit_storage"}, exclude_none=True)
    said["api_keys"] = len(settings.keys)
    # A password stands before the host, or in the query.
    scheme, _, place = settings.rate_limit_storage.partition("://")
    said["rate_limit_storage"] = f"{scheme}://{place.partition('?')[0].rpartition('@')[2]}"
    _log.info("started", version=penread.__version__, models=dict(models), **said)


def stopped() -> None:
    """Logs that the process has ended its work."""
    _log.info("stopped", version=penread.__version__)


def _add_pid(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    event_dict["pid"] = os.getpid()
    return event_dict


def _describe_openly(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Words an exception, and those that it came from: kinds, messages, places."""
    return [
        {
            "type": each["exc_type"],
            "message": each["exc_value"],
            "frames": [f"{frame['filename']}:{frame['lineno']} {frame['name']}" for frame in each["frames"]],
            **({"group": each["exceptions"]} if each["is_group"] else {}),
        }
        for each in _transform(exc_info)
    ]


def _describe(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Words an exception, and leaves its message out in a request."""
    described = _describe_openly(exc_info)
    if "request_id" in get_contextvars():
        for each in described:
            del each["message"]
            each.pop("group", None)
    return described


def _ordered(event_dict: EventDict) -> dict[str, Any]:
    """Sets first what one looks for first."""
    return {
        "timestamp": event_dict.pop("timestamp"),
        "level": event_dict.pop("level"),
        "event": event_dict.pop("event"),
        **event_dict,
    }


def _render_json(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> str:
    return _to_json(_ordered(event_dict))


def _render_text(logger: WrappedLogger, method: str, event_dict: EventDict) -> str:
    timestamp, level, event = event_dict.pop("timestamp"), event_dict.pop("level"), event_dict.pop("event")
    exceptions = event_dict.pop("exception", [])
    rest = _to_logfmt(logger, method, event_dict)
    lines = [f"{timestamp} {level:{_LEVEL_WIDTH}} {str(event).strip()} {rest}"]
    for each in exceptions:
        lines.append(f"  {each['type']}: {each['message']}" if "message" in each else f"  {each['type']}")
        lines += [f"    {frame}" for frame in each["frames"]]
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """Escapes what would end a line, move the cursor of whoever reads it, or look like something else."""
    if line.isascii() and line.isprintable():
        return line
    return "".join(
        each if each.isascii() and each.isprintable() else each.encode("unicode_escape").decode() for each in line
    )


_log = structlog.get_logger()
