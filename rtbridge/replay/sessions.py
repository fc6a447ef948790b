"""A recorded call as a story: said again at its own times, answered by its own cassette, expected to go as it went.

The folder is what recording.py leaves. The caller's track is cut where it is silent for long, so that a report has
turns; every piece keeps its place in the track, to the frame, since the cassette counts the caller's samples.
"""

from __future__ import annotations

import itertools
import json
import re
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rtbridge.core import pcm
from rtbridge.errors import StoryError
from rtbridge.replay.hearing import Burst, bursts_of
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import (
    Anchor,
    Budget,
    CallExpect,
    Start,
    Story,
    ToolExpect,
    TranscriptExpect,
    Turn,
    TurnExpect,
    UpstreamChoice,
    UpstreamKind,
)

ABOUT: Final = "session.json"
CASSETTE: Final = "cassette.jsonl"
VERSION: Final = 1
APART_MS: Final = 800  # of silence between two pieces of the caller's track
BEFORE_MS: Final = 200  # kept of the quiet around a piece
AFTER_MS: Final = 300
MAX_PIECE_MS: Final = 18_000  # of one piece: a file of it stays under a megabyte
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
LOST_WORDS: Final = 3  # of what an interrupted agent said: two clocks cut it a little apart

Graphs = Mapping[str, Sequence[str]]


def is_session(path: Path) -> bool:
    """Say whether a folder holds a recorded call."""
    return (path / ABOUT).is_file()


def load_session(folder: Path, graphs: Graphs | None = None) -> Story:
    """Return the story of a recorded call. Raises StoryError, naming the file, where something of it is missing."""
    about = _object(folder / ABOUT)
    scenario, agent = str(about.get("scenario")), about.get("agent")
    if about.get("version") != VERSION:
        raise StoryError(
            f"{folder / ABOUT}: a recording of version {about.get('version')!r}, and this reads {VERSION}"
        )
    if about.get("cut"):
        raise StoryError(
            f"{folder / ABOUT}: the recording was cut ({about['cut']}): what is missing cannot be replayed"
        )
    if graphs is not None and scenario not in graphs:
        raise StoryError(
            f'{folder / ABOUT}: no scenario "{scenario}" here; there is {", ".join(sorted(graphs))}'
        )
    cassette = folder / CASSETTE
    if not cassette.is_file():
        raise StoryError(f"{cassette}: not there: without it nobody answers the call")
    track = read_track(folder / "caller.wav")
    events = _objects(folder / "events.jsonl")
    doings = tuple(_doings(_objects(folder / "messages.jsonl"), folder))
    turns = tuple(_turns(track, doings, _spoken(cassette)))
    if not turns:
        raise StoryError(
            f"{folder}: nothing was said, typed or picked in this call: there is nothing to replay"
        )
    return Story(
        file=folder,
        name=folder.name,
        scenario=scenario,
        agent=agent if isinstance(agent, str) else None,
        turns=turns,
        expect=_expected(events),
        budget=Budget(),
        upstream=UpstreamChoice(UpstreamKind.CASSETTE, file=cassette),
        stays_ms=pcm.ms_of_samples(pcm.samples_of(track)),
    )


def read_track(file: Path) -> bytes:
    """Return a 24 kHz mono 16-bit WAV. Raises StoryError."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise StoryError(f"{file}: over {MAX_FILE_BYTES >> 20} MB")
        with wave.open(str(file), "rb") as found:
            if (found.getnchannels(), found.getsampwidth(), found.getframerate()) != (1, 2, pcm.RATE):
                raise StoryError(f"{file}: a caller's track is 24 kHz mono, 16 bits a sample")
            return found.readframes(found.getnframes())
    except OSError as error:
        raise StoryError(f"{file}: cannot be read: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        raise StoryError(f"{file}: not a WAV file: {error}") from error


@dataclass(frozen=True, slots=True)
class _Doing:
    """Something that the caller typed or picked."""

    at: int  # sample of the caller's track
    typed: str | None = None
    switch: str | None = None


def _turns(track: bytes, doings: Sequence[_Doing], spoken_ms: Sequence[tuple[int, int]]) -> Iterator[Turn]:
    found: list[tuple[int, int, _Doing | None]] = [(doing.at, doing.at, doing) for doing in doings]
    found += [(start, end, None) for start, end in pieces_of(track, [doing.at for doing in doings])]
    for n, (start, end, doing) in enumerate(sorted(found, key=lambda one: one[:2]), start=1):
        at_ms = pcm.ms_of_samples(start)
        when = Start(Anchor.CALL_START, at_ms)
        if doing is not None:
            yield Turn(f"turn {n}", 1, None, doing.typed, False, when, TurnExpect(), doing.switch)
            continue
        sound = Sound(
            f"caller at {at_ms / 1000:.2f} s", track[start * pcm.SAMPLE_BYTES : end * pcm.SAMPLE_BYTES]
        )
        end_ms = pcm.ms_of_samples(end)
        is_noise = not any(begun < end_ms and over > at_ms for begun, over in spoken_ms)
        yield Turn(f"turn {n}", 1, sound, None, is_noise, when, TurnExpect())


def pieces_of(track: bytes, cuts: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Return what is audible in a track as (first sample, sample after), on whole frames, in order, apart.

    Pieces are cut at `cuts` and where they grow too long.
    """
    whole: list[Burst] = []
    for burst in bursts_of(track):
        if whole and burst.start - whole[-1].end < pcm.samples_of_ms(APART_MS):
            whole[-1] = Burst(whole[-1].start, burst.end)
        else:
            whole.append(burst)
    pieces: list[tuple[int, int]] = []
    end_of_track = pcm.samples_of(track) // pcm.FRAME_SAMPLES * pcm.FRAME_SAMPLES
    for burst in whole:
        start = _frame(max(0, burst.start - pcm.samples_of_ms(BEFORE_MS)))
        end = min(end_of_track, _frame(burst.end + pcm.samples_of_ms(AFTER_MS)) + pcm.FRAME_SAMPLES)
        edges = {start, end, *(_frame(cut) for cut in cuts if start < _frame(cut) < end)}
        edges |= set(range(start, end, pcm.samples_of_ms(MAX_PIECE_MS)))
        ordered = sorted(edges)
        pieces += list(itertools.pairwise(ordered))
    return [(start, end) for start, end in pieces if end > start]


def _frame(sample: int) -> int:
    return sample // pcm.FRAME_SAMPLES * pcm.FRAME_SAMPLES


def _spoken(cassette: Path) -> list[tuple[int, int]]:
    """Return where the upstream heard the caller speak, in ms of the caller's track."""
    started: dict[str, int] = {}
    spans = []
    for row in _objects(cassette):
        event = row.get("event") or {}
        if event.get("type") == "input_audio_buffer.speech_started":
            started[str(event.get("item_id"))] = int(event.get("audio_start_ms") or 0)
        elif event.get("type") == "input_audio_buffer.speech_stopped":
            begun = started.pop(str(event.get("item_id")), 0)
            spans.append((begun, int(event.get("audio_end_ms") or 0)))
    return spans


def _doings(messages: Sequence[Mapping[str, Any]], folder: Path) -> Iterator[_Doing]:
    for message in messages:
        try:
            event = json.loads(str(message.get("text")))
            at = _frame(pcm.samples_of_ms(float(message["t"]) * 1000))
        except (ValueError, KeyError, TypeError) as error:
            raise StoryError(f"{folder / 'messages.jsonl'}: not what a recording writes: {error}") from None
        if not isinstance(event, dict):
            continue
        if event.get("type") == "rtbridge.agent.switch":
            yield _Doing(at, switch=str(event.get("agent")))
        elif event.get("type") == "conversation.item.create" and (text := _typed(event)):
            yield _Doing(at, typed=text)


def _typed(event: Mapping[str, Any]) -> str:
    item = event.get("item")
    if not isinstance(item, dict) or item.get("role") != "user":
        return ""
    parts = item.get("content") or ()
    return " ".join(str(part.get("text")) for part in parts if isinstance(part, dict) and part.get("text"))


def _expected(events: Sequence[Mapping[str, Any]]) -> CallExpect:
    """Return that the call goes as it went: the same handoffs, tools and words."""
    said = []
    for entry in events:
        if entry.get("event") == "item.heard" and (text := str(entry.get("heard_text") or "")):
            words = text.split()
            sure = words if not entry.get("unheard_text") else words[:-LOST_WORDS]
            if sure:
                said.append(TranscriptExpect("agent", r"\s+".join(re.escape(word) for word in sure), None))
        elif entry.get("event") == "caller.said" and entry.get("text"):
            said.append(TranscriptExpect("caller", re.escape(str(entry["text"])), None))
    return CallExpect(
        handoffs=tuple(str(entry["to"]) for entry in events if entry.get("event") == "agent.handed_off"),
        tools=tuple(_tools(events)),
        transcript=tuple(said),
    )


def _tools(events: Sequence[Mapping[str, Any]]) -> Iterator[ToolExpect]:
    for entry in events:
        name = str(entry.get("name"))
        if (
            entry.get("event") == "tool.started"
            and entry.get("by") is None
            and not name.startswith("transfer_to_")
        ):
            try:
                arguments = json.loads(str(entry.get("arguments") or "{}"))
            except ValueError:
                arguments = {}
            yield ToolExpect(name, arguments if isinstance(arguments, dict) else {})


def _object(file: Path) -> dict[str, Any]:
    found = _objects(file, whole=True)
    return found[0]


def _objects(file: Path, *, whole: bool = False) -> list[dict[str, Any]]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise StoryError(f"{file}: over {MAX_FILE_BYTES >> 20} MB")
        text = file.read_text(encoding="utf-8")
        found = [json.loads(one) for one in ([text] if whole else text.split("\n")) if one.strip()]
    except OSError as error:
        raise StoryError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StoryError(f"{file}: not what a recording writes: {error}") from None
    if not all(isinstance(one, dict) for one in found) or (whole and not found):
        raise StoryError(f"{file}: not what a recording writes")
    return found
