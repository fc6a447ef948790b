"""The rows of a cassette: what went to an upstream and what came from it, as JSON lines.

    {"t": 0, "dir": "head", "event": {"type": "rtbridge.cassette", "version": 1, …}}
    {"t": 1.24, "dir": "out" | "in", "event": {…}}

`t` counts seconds of the loop's clock since the upstream was connected. The caller's audio is no frame: what was
appended between two frames is one `{"type": "input_audio_buffer.append", "samples": N}`, in samples of 24 kHz.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rtbridge.errors import StoryError
from rtbridge.upstream.port import Capabilities

VERSION: Final = 1
HEAD: Final = "rtbridge.cassette"
APPEND: Final = "input_audio_buffer.append"
MAX_BYTES: Final = 512 * 1024 * 1024  # of a file: two hours of an agent's speech
MAX_ROWS: Final = 500_000
MAX_LINE: Final = 16 * 1024 * 1024  # what a connection takes as one frame


@dataclass(frozen=True, slots=True)
class Row:
    """One frame. `dir` is "head", "out" or "in"."""

    t: float
    dir: str
    event: Mapping[str, Any]

    def line(self) -> str:
        """Return the row as one line of JSON, without its newline."""
        # ASCII, since a delta may hold half of a surrogate pair, which JSON can say and UTF-8 cannot.
        return json.dumps({"t": round(self.t, 4), "dir": self.dir, "event": self.event})


def head(capabilities: Capabilities, **more: str) -> Row:
    """Return the first row: what kind of upstream this was. `more` is told to people only."""
    kind = {"is_engine": capabilities.is_engine, "word_times": capabilities.word_times}
    return Row(0.0, "head", {"type": HEAD, "version": VERSION, **kind, **more})


@dataclass(frozen=True, slots=True)
class Cassette:
    """A whole recording of an upstream, in order."""

    name: str
    capabilities: Capabilities
    rows: tuple[Row, ...]  # without the head


def read_cassette(file: Path) -> Cassette:
    """Read the cassette in `file`. Raises StoryError with `file:line: what is wrong`."""
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise StoryError(f"{file}: {size} bytes; a cassette of at most {MAX_BYTES} is read")
        with file.open("rb") as lines:
            return _whole(file, _rows(file, lines.read()))
    except OSError as error:
        raise StoryError(f"{file}: the cassette cannot be read: {error.strerror}") from error


def parse_cassette(name: str, text: bytes) -> Cassette:
    """Return the cassette that `text` holds; `name` stands in errors. Raises StoryError."""
    return _whole(Path(name), _rows(Path(name), text))


def _whole(file: Path, rows: Iterator[Row]) -> Cassette:
    first = next(rows, None)
    if first is None or first.dir != "head" or first.event.get("type") != HEAD:
        raise StoryError(
            f'{file}:1: not a cassette: it begins with {{"dir": "head", "event": {{"type": "{HEAD}", …}}}}'
        )
    if first.event.get("version") != VERSION:
        found = first.event.get("version")
        raise StoryError(
            f"{file}:1: a cassette of version {found!r}; this one reads {VERSION}: record it again"
        )
    capabilities = Capabilities(
        is_engine=first.event.get("is_engine") is True, word_times=first.event.get("word_times") is True
    )
    return Cassette(file.name, capabilities, tuple(rows))


def _rows(file: Path, text: bytes) -> Iterator[Row]:
    before_s = 0.0
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{file}:{number}"
        if number > MAX_ROWS:
            raise StoryError(f"{where}: more than {MAX_ROWS} rows")
        if len(line) > MAX_LINE:
            raise StoryError(f"{where}: a row of {len(line)} bytes; at most {MAX_LINE} make one")
        row = _row(where, line)
        if row.t < before_s:
            raise StoryError(f"{where}: t goes back from {before_s:g} to {row.t:g}; rows stand in order")
        before_s = row.t
        yield row


def _row(where: str, line: bytes) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise StoryError(f"{where}: not a line of JSON") from None
    if not isinstance(found, dict):
        raise StoryError(f'{where}: a row is {{"t": …, "dir": …, "event": {{…}}}}')
    t, direction, event = found.get("t"), found.get("dir"), found.get("event")
    if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t < 1e6:
        raise StoryError(f"{where}: `t` takes seconds from 0 up, not {str(t)[:40]}")
    if direction not in ("head", "out", "in"):
        raise StoryError(f'{where}: `dir` is "out" or "in", not {str(direction)[:40]!r}')
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise StoryError(f"{where}: `event` takes an event with a `type`")
    if event["type"] == APPEND and direction == "out":
        samples = event.get("samples")
        if type(samples) is not int or samples < 0:
            raise StoryError(f"{where}: `samples` takes the number of samples that were appended")
    return Row(float(t), direction, event)
