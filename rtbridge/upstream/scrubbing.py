"""Making a recording fit to be read by others: the frames of a whole call, masked when the call is over.

A value may be said long before a tool shows that it is sensitive; so frames are kept until the end, and then masked
from the first. Words that came in pieces are masked across the pieces. Where a value was said aloud, the sound of that
item is silenced, and told, so that whoever holds other tracks of the call can do the same.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rtbridge.core import pcm
from rtbridge.settings import Settings
from rtbridge.upstream.frames import APPEND, TEXTS, Row
from rtbridge.upstream.scrub import Scrubber, pieces

AUDIO: Final = "response.output_audio.delta"
MAX_KEPT_BYTES: Final = 256 * 1024 * 1024
_AUDIO_LINE: Final = f'"type": "{AUDIO}"'
_SPEECH: Final = {
    "input_audio_buffer.speech_started": "audio_start_ms",
    "input_audio_buffer.speech_stopped": "audio_end_ms",
}


@dataclass(slots=True)
class Silenced:
    """Where a tainted value was said aloud."""

    items: set[str] = field(default_factory=set)  # of agent and caller
    caller_ms: list[tuple[int, int]] = field(default_factory=list)  # of the caller's audio as it was appended


def secrets_of(settings: Settings) -> list[str]:
    """Return every key of the settings."""
    keys = (settings.openai_api_key, settings.upstream_api_key, settings.turn_secret, settings.brain_api_key)
    return [key.get_secret_value() for key in (*settings.api_keys, *keys) if key]


class KeptFrames:
    """Frames of one call in memory: a sink for `recorder.RecordedUpstream`."""

    def __init__(self, settings: Settings) -> None:
        self.scrubber = Scrubber(secrets_of(settings))
        self.cut = False  # there were more than can be kept
        self._lines: list[str] = []
        self._bytes = 0

    def keep(self, row: Row) -> None:
        """Take a frame; after 256 MB of them nothing more is kept."""
        if self.cut:
            return
        line = row.line()
        self._bytes += len(line)
        if self._bytes > MAX_KEPT_BYTES:
            self.cut = True
            return
        self._lines.append(line)
        if row.event.get("type") != AUDIO:
            self.scrubber.learn(row.event)

    def scrubbed(self) -> bytes:
        """Return them all as JSON lines, masked; nothing where there were more than were kept."""
        if self.cut:
            return b""
        lines, _ = scrub_lines(self._lines, self.scrubber)
        return "".join(f"{line}\n" for line in lines).encode()


def scrub_lines(lines: Iterable[str], scrubber: Scrubber) -> tuple[list[str], Silenced]:
    """Return the rows of a cassette masked, and where sensitive values were said aloud."""
    silenced = Silenced()
    kept = list(lines)
    if not scrubber.tainted:  # only keys, which hardly ever are there
        return [line if _AUDIO_LINE in line else _keys_masked(line, scrubber) for line in kept], silenced
    parsed = {n: json.loads(line) for n, line in enumerate(kept) if _AUDIO_LINE not in line}
    for numbers in _streams(parsed):
        events = [parsed[n]["event"] for n in numbers]
        parts = [str(event["delta"]) for event in events]
        masked = pieces(scrubber, parts)
        for event, part in zip(events, masked, strict=True):
            event["delta"] = part
        if parts != masked:
            silenced.items.add(str(events[0].get("item_id")))
    spans: dict[str, list[int]] = {}
    appended = begun = 0  # samples of the caller's audio
    for n, row in parsed.items():
        event = row["event"]
        if event["type"] == APPEND:
            appended += event.get("samples") or 0
        elif event["type"] == "input_audio_buffer.clear":
            begun = appended
        elif (
            event["type"] == "input_audio_buffer.committed"
        ):  # where turns are pushed to talk, nobody tells edges
            turn = [pcm.ms_of_samples(begun), pcm.ms_of_samples(appended)]
            spans.setdefault(str(event.get("item_id")), turn)
            begun = appended
        if (edge := _SPEECH.get(event["type"])) is not None:
            at_ms = event.get(edge)
            spans.setdefault(str(event.get("item_id")), []).append(at_ms if isinstance(at_ms, int) else 0)
        row["event"] = scrubber.deeply(event)
        if row["event"] != event:
            if event["type"] not in TEXTS:  # what text models read was said in an item of its own
                silenced.items |= set(_said_in(event, row["event"]))
            kept[n] = json.dumps(row)
        elif event["type"].endswith(".delta"):
            kept[n] = json.dumps(row)
    silenced.caller_ms = [
        (min(edges), max(edges))
        for item, edges in spans.items()
        if item in silenced.items and len(edges) == 2
    ]
    return [_silent(line, silenced.items) if _AUDIO_LINE in line else line for line in kept], silenced


def _keys_masked(line: str, scrubber: Scrubber) -> str:
    return json.dumps(scrubber.deeply(json.loads(line))) if scrubber.spans(line) else line


def _streams(parsed: Mapping[int, Any]) -> Iterator[list[int]]:
    """Yield the rows whose deltas make one text."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for n, row in parsed.items():
        event = row["event"]
        if event["type"].endswith(".delta") and isinstance(event.get("delta"), str):
            key = (event["type"], event.get("item_id"), event.get("call_id"), event.get("content_index"))
            found.setdefault(key, []).append(n)
    yield from found.values()


def _said_in(before: Any, after: Any) -> Iterator[str]:
    """Yield the items with a transcript that was masked."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        said = any(before.get(key) != after.get(key) for key in ("transcript", "content"))
        if said:
            yield str(before.get("item_id") or before.get("id"))
        for key, value in before.items():
            yield from _said_in(value, after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        for one, other in zip(before, after, strict=True):
            yield from _said_in(one, other)


def _silent(line: str, items: set[str]) -> str:
    row = json.loads(line)
    if row["event"].get("item_id") not in items:
        return line
    try:
        samples = len(base64.b64decode(row["event"]["delta"]))
    except (ValueError, TypeError, KeyError):  # no sound at all, whatever the upstream meant by it
        samples = 0
    row["event"]["delta"] = base64.b64encode(bytes(samples)).decode("ascii")
    return json.dumps(row)
