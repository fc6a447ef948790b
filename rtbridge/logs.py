"""The log: structlog, pretty on a terminal and JSON lines elsewhere, with the stdlib's loggers routed in.

One vocabulary: a line's event is a `noun.past_tense`, the call's come from core/journal.py. Everything a stranger
can put into a line (transcripts, header values, exception texts) passes through two filters here: keys are
redacted, and control characters are escaped, so that no line can forge another or drive a terminal. Wall time is
read in this file only.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import structlog

from rtbridge.core.journal import Entry, UpstreamErred

Fields = MutableMapping[str, Any]
Processor = Callable[[Any, str, Fields], Fields]

REDACTED: Final = "[redacted]"
_LONGEST_TEXT = (
    4096  # characters; a tool's output is bounded to 8 KiB elsewhere, a log line need not hold all of it
)

_KEYS = re.compile(r"\b(?:sk-|ek_|rk_)[A-Za-z0-9_-]{8,}|(?<=Bearer )[^\s,;\"']+", re.IGNORECASE)
_KEY_FIELDS = re.compile(r"(?:api_?key|authorization|secret|password|credential|cookie)s?$", re.IGNORECASE)
# C0 and C1 controls, DEL, line and paragraph separators, and the bidi controls that reorder what is shown.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_LEVELS: Final = {
    "turn.changed": logging.DEBUG,
    "item.begun": logging.DEBUG,
    "turn.ignored": logging.DEBUG,
    "item.truncated": logging.DEBUG,
    "item.deleted": logging.DEBUG,
    "response.requested": logging.DEBUG,
    "response.ended": logging.DEBUG,
    "media.suspended": logging.WARNING,
    "upstream.failed": logging.WARNING,
    "audio.dropped": logging.WARNING,
}


def wall_time_s() -> float:
    """Return seconds since the epoch: for `expires_at` of a secret and TURN user names, never for durations."""
    return datetime.now(tz=UTC).timestamp()


def configure(
    *,
    form: Literal["auto", "pretty", "json"] = "auto",
    level: Literal["debug", "info", "warning", "error"] = "info",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Set up the log of this process, replacing an earlier set-up; `stream` is stderr unless given.

    `secrets` are values that no line may show.
    """
    out = sys.stderr if stream is None else stream
    pretty = form == "pretty" or (form == "auto" and out.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redactor(secrets),
        escape_controls,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=out.isatty(), pad_event_to=22)
        if pretty
        else structlog.processors.JSONRenderer()
    )
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not pretty:
        last.append(_what_happened_first)
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_foreign, *shared],
            processors=[*last, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(
        logging.WARNING
    )  # aiortc, aioice, aiohttp, asyncio, openai: what goes wrong, not what goes on
    logging.getLogger("rtbridge").setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.CRITICAL)  # our own lines name calls, not requests
    logging.captureWarnings(True)


def get(name: str = "rtbridge") -> structlog.stdlib.BoundLogger:
    """Return a logger; `name` is rtbridge or begins with `rtbridge.`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def record(call_id: str, at_ms: int, entry: Entry) -> None:
    """Write one journal entry as one log line. `at_ms` counts from the beginning of the call's session."""
    get("rtbridge.call").log(level_of(entry), entry.event, call=call_id, at_ms=at_ms, **entry.as_dict())


def level_of(entry: Entry) -> int:
    """Return the logging level of a journal entry: the steps of a turn are debug, trouble is warning."""
    if isinstance(entry, UpstreamErred):
        return logging.DEBUG if entry.benign else logging.WARNING
    return _LEVELS.get(entry.event, logging.INFO)


def redactor(secrets: Iterable[str]) -> Processor:
    """Return a processor that hides the given values, what looks like a key, and fields named like one."""
    exact = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in exact:
            text = text.replace(secret, REDACTED)
        return _KEYS.sub(REDACTED, text)

    def process(_logger: Any, _method: str, fields: Fields) -> Fields:
        for key, value in fields.items():
            if not key.startswith("_"):
                fields[key] = REDACTED if _KEY_FIELDS.search(key) and value else _deeply(value, hide)
        return fields

    return process


def escape_controls(_logger: Any, _method: str, fields: Fields) -> Fields:
    r"""Escape control characters in every text as `\x1b` and bound its length; tracebacks keep their lines."""
    for key, value in fields.items():
        if key == "exception" and isinstance(value, str):
            fields[key] = "\n".join(f"  | {_plain(line)}" for line in value.split("\n"))
        elif not key.startswith("_"):
            fields[key] = _deeply(value, _plain)
    return fields


def _plain(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}…(+{len(text) - _LONGEST_TEXT} characters)"
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _deeply(value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth < 4 and isinstance(value, dict):
        return {change(str(key)): _deeply(inner, change, depth + 1) for key, inner in value.items()}
    if depth < 4 and isinstance(value, list | tuple | set | frozenset):
        return [_deeply(inner, change, depth + 1) for inner in value]
    return change(str(value))


def _what_happened_first(_logger: Any, _method: str, fields: Fields) -> Fields:
    first = ("timestamp", "level", "event", "call", "at_ms")
    return {key: fields[key] for key in first if key in fields} | dict(fields)


def _name_foreign(_logger: Any, _method: str, fields: Fields) -> Fields:
    origin = fields.get("_record")
    fields["library"] = origin.name if isinstance(origin, logging.LogRecord) else "?"
    return fields
