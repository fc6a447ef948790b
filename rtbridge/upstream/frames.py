"""The rows of a cassette: what went to an upstream and what came from it, as JSON lines.

    {"t": 0, "dir": "head", "event": {"type": "rtbridge.cassette", "version": 1, …}}
    {"t": 1.24, "dir": "out" | "in", "event": {…}}

`t` counts seconds of the loop's clock since the upstream was connected. The caller's audio is no frame: what was
appended between two frames is one `{"type": "input_audio_buffer.append", "samples": N}`, in samples of 24 kHz. What
agents asked text models stands between the frames: text_recorder.py.
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
TEXT_REQUEST: Final = "rtbridge.text.request"
TEXT_RESPONSE: Final = "rtbridge.text.response"
TEXT_FAILED: Final = "rtbridge.text.failed"
TEXTS: Final = (TEXT_REQUEST, TEXT_RESPONSE, TEXT_FAILED)
MAX_DEPTH: Final = 64  # of an event
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


def head(capabilities: Capabilities, *, texts: bool, **more: str) -> Row:
    """Return the first row: what kind of upstream this was, and whether there were text models beside it.

    `more` is told to people only.
    """
    kind = {"is_engine": capabilities.is_engine, "word_times": capabilities.word_times, "texts": texts}
    return Row(0.0, "head", {"type": HEAD, "version": VERSION, **kind, **more})


@dataclass(frozen=True, slots=True)
class Cassette:
    """A whole recording of an upstream, in order."""

    name: str
    capabilities: Capabilities
    rows: tuple[Row, ...]  # without the head
    texts: bool | None = None  # whether there were text models; None where the recording does not say


def read_cassette(file: Path) -> Cassette:
    """Read the cassette in `file`. Raises StoryError with `file:line: what is wrong`."""
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise StoryError(f"{file}: {size} bytes; a cassette of at most {MAX_BYTES} is read")
        return _whole(file, file.read_bytes())
    except OSError as error:
        raise StoryError(f"{file}: the cassette cannot be read: {error.strerror}") from error


def parse_cassette(name: str, text: bytes) -> Cassette:
    """Return the cassette that `text` holds; `name` stands in errors. Raises StoryError."""
    return _whole(Path(name), text)


def _whole(file: Path, text: bytes) -> Cassette:
    if not text.strip():
        raise StoryError(f"{file}: empty: nothing was recorded, or nothing was kept of it; record it again")
    rows = _rows(file, text)
    first = next(rows)
    if first.dir != "head" or first.event.get("type") != HEAD:
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
    texts = first.event.get("texts")
    return Cassette(file.name, capabilities, tuple(rows), texts if isinstance(texts, bool) else None)


def _rows(file: Path, text: bytes) -> Iterator[Row]:
    before_s = 0.0
    asked: dict[str, bool] = {}  # id of a text request -> whether it was answered
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        where = f"{file}:{number}"
        if number > MAX_ROWS:
            raise StoryError(f"{where}: more than {MAX_ROWS} rows")
        if len(line) > MAX_LINE:
            raise StoryError(f"{where}: a row of {len(line)} bytes; at most {MAX_LINE} make one")
        row = _row(where, line, is_last=number == len(lines) and not text.endswith(b"\n"))
        if row.t < before_s:
            raise StoryError(f"{where}: t goes back from {before_s:g} to {row.t:g}; rows stand in order")
        if row.dir == "head" and number > 1:
            raise StoryError(f'{where}: the row of "dir": "head" is the first one, and no other')
        before_s = row.t
        if row.event["type"] in TEXTS:
            _fits(where, row, asked)
        yield row


def _row(where: str, line: bytes, *, is_last: bool) -> Row:
    try:
        found = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise StoryError(
            f"{where}: not UTF-8 text: {error.reason} at byte {error.start} of the line"
        ) from None
    except (ValueError, RecursionError):
        cut = ": the file ends in the middle of it; record it again" if is_last else ""
        raise StoryError(f"{where}: not a line of JSON{cut}") from None
    if not isinstance(found, dict):
        raise StoryError(f'{where}: a row is {{"t": …, "dir": …, "event": {{…}}}}')
    t, direction, event = found.get("t"), found.get("dir"), found.get("event")
    if isinstance(t, bool) or not isinstance(t, int | float) or not 0 <= t < 1e6:
        raise StoryError(f"{where}: `t` takes seconds from 0 up, not {str(t)[:40]}")
    if direction not in ("head", "out", "in"):
        raise StoryError(f'{where}: `dir` is "out" or "in", not {str(direction)[:40]!r}')
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise StoryError(f"{where}: `event` takes an event with a `type`")
    if _is_deeper(event, MAX_DEPTH):
        raise StoryError(f"{where}: nested more than {MAX_DEPTH} deep")
    if event["type"] == APPEND and direction == "out":
        samples = event.get("samples")
        if type(samples) is not int or samples < 0:
            raise StoryError(f"{where}: `samples` takes the number of samples that were appended")
    return Row(float(t), direction, event)


def _fits(where: str, row: Row, asked: dict[str, bool]) -> None:
    """Check a row of a text model. Raises StoryError."""
    kind, request_id = row.event["type"], row.event.get("id")
    key, shape = {
        TEXT_REQUEST: ("request", dict),
        TEXT_RESPONSE: ("output", list),
        TEXT_FAILED: ("error", dict),
    }[kind]
    direction = "out" if kind == TEXT_REQUEST else "in"
    if row.dir != direction or not isinstance(request_id, str) or not isinstance(row.event.get(key), shape):
        raise StoryError(f'{where}: a {kind} goes "{direction}" and has an `id` and an `{key}`')
    if kind == TEXT_REQUEST:
        if request_id in asked:
            raise StoryError(f"{where}: a second text request with the id {request_id[:40]!r}")
        asked[request_id] = False
    elif asked.get(request_id) is not False:
        what = "a second answer to" if request_id in asked else "an answer to what was not asked before:"
        raise StoryError(f"{where}: {what} the text request {request_id[:40]!r}")
    else:
        asked[request_id] = True


def _is_deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_is_deeper(one, levels - 1) for one in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_is_deeper(one, levels - 1) for one in value)
    return False
