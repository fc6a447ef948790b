"""A recorded call as a story: said again at its own times, answered by its own cassette, expected to go as it went.

The folder is what recording.py leaves. The caller's track is cut where it is silent for long, so that a report has
turns; every piece keeps its place in the track, to the frame, since the cassette counts the caller's samples.
"""

from __future__ import annotations

import itertools
import json
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rtbridge.core import pcm
from rtbridge.core.approval import OPERATOR, PAGE
from rtbridge.core.dtmf import KEYS
from rtbridge.errors import StoryError
from rtbridge.replay.as_it_went import expected
from rtbridge.replay.hearing import Burst, bursts_of
from rtbridge.replay.script import KEY_MS
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import (
    Anchor,
    Budget,
    Start,
    Story,
    Turn,
    TurnExpect,
    UpstreamChoice,
    UpstreamKind,
)
from rtbridge.upstream.frames import read_cassette

ABOUT: Final = "session.json"
CASSETTE: Final = "cassette.jsonl"
VERSION: Final = 1
APART_MS: Final = 800  # of silence between two pieces of the caller's track
BEFORE_MS: Final = 200  # kept of the quiet around a piece
AFTER_MS: Final = 300
MAX_PIECE_MS: Final = 18_000  # of one piece: a file of it stays under a megabyte
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
UNFINISHED: Final = (
    "this recording is not finished: the call still goes on, or the bridge ended in the middle of it"
)
LONGEST_S: Final = 1e6  # of a call
SAYABLE: Final = (  # events of a caller's client for which a story has a word
    "conversation.item.create",
    "response.create",
    "rtbridge.agent.switch",
    "rtbridge.dtmf",
    "rtbridge.tool.approve",
    "rtbridge.tool.reject",
)

Graphs = Mapping[str, Sequence[str]]


def is_session(path: Path) -> bool:
    """Say whether a folder holds a recorded call that is over."""
    return (path / ABOUT).is_file()


def is_unfinished(path: Path) -> bool:
    """Say whether a folder holds a recording whose end was not written."""
    return not is_session(path) and any(path.glob("*.part"))


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
    doings = tuple(_doings(folder, answered(events)))
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
        expect=expected(events),
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
    approve: bool | None = None
    waited_ms: int = 0  # a tool call, for its approval
    press: str | None = None

    @property
    def until(self) -> int:
        """Return the sample up to which the caller can do nothing else."""
        return (
            self.at + pcm.samples_of_ms(KEY_MS) * (len(self.press) - 1) + pcm.FRAME_SAMPLES
            if self.press
            else self.at
        )


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What the upstream heard the caller say, and where in the caller's track, in ms."""

    start_ms: int
    end_ms: int
    text: str


def _turns(track: bytes, doings: Sequence[_Doing], spoken: Sequence[_Spoken]) -> Iterator[Turn]:
    found: list[tuple[int, int, _Doing | None]] = [(doing.at, doing.at, doing) for doing in doings]
    taken = [(doing.at, doing.until) for doing in doings]
    found += [(start, end, None) for start, end in pieces_of(track, taken)]
    for n, (start, end, doing) in enumerate(sorted(found, key=lambda one: one[:2]), start=1):
        at_ms, end_ms = pcm.ms_of_samples(start), pcm.ms_of_samples(end)
        when, no = Start(Anchor.CALL_START, at_ms), TurnExpect()
        if doing is not None:
            if doing.approve is not None:
                when = Start(Anchor.APPROVAL, doing.waited_ms)
            turn = Turn(f"turn {n}", 1, None, doing.typed, False, when, no, doing.switch, doing.approve)
            yield replace(turn, press=doing.press)
            continue
        said = [one for one in spoken if one.start_ms < end_ms and one.end_ms > at_ms]
        words = " ".join(one.text for one in said if one.text)
        label = f"{words or 'caller'} at {at_ms / 1000:.2f} s"
        sound = Sound(label, track[start * pcm.SAMPLE_BYTES : end * pcm.SAMPLE_BYTES])
        yield Turn(f"turn {n}", 1, sound, None, not said, when, no)


def pieces_of(track: bytes, taken: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Return what is audible in a track as (first sample, sample after), on whole frames, in order, apart.

    Pieces are cut where they grow too long, and around what is `taken`, from a sample up to another.
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
        cuts = (_frame(sample) for span in taken for sample in span)
        edges = {start, end, *(cut for cut in cuts if start < cut < end)}
        edges |= set(range(start, end, pcm.samples_of_ms(MAX_PIECE_MS)))
        ordered = sorted(edges)
        pieces += list(itertools.pairwise(ordered))
    kept = (piece for piece in pieces if not any(begun <= piece[0] < over for begun, over in taken))
    return [(start, end) for start, end in kept if any(track[start * 2 : end * 2])]


def _frame(sample: int) -> int:
    return sample // pcm.FRAME_SAMPLES * pcm.FRAME_SAMPLES


def _spoken(cassette: Path) -> list[_Spoken]:
    started: dict[str, int] = {}
    spans: dict[str, tuple[int, int]] = {}
    texts: dict[str, str] = {}
    for row in read_cassette(cassette).rows:
        kind, item = row.event["type"], str(row.event.get("item_id"))
        if kind == "input_audio_buffer.speech_started":
            started[item] = _ms(row.event.get("audio_start_ms"))
        elif kind == "input_audio_buffer.speech_stopped":
            spans[item] = (started.pop(item, 0), _ms(row.event.get("audio_end_ms")))
        elif kind == "conversation.item.input_audio_transcription.completed":
            texts[item] = str(row.event.get("transcript") or "").strip()
    return [_Spoken(start, end, texts.get(item, "")) for item, (start, end) in spans.items()]


def _ms(value: object) -> int:
    return value if isinstance(value, int) else 0


Answers = Mapping[str, tuple[bool, int]]
"""Tool calls that the caller's page answered for: whether with a yes, and after how many ms."""


def answered(events: Sequence[Mapping[str, Any]]) -> Answers:
    """Return which tool calls the page approved or rejected, by their call_id."""
    asked: dict[str, int] = {}
    found: dict[str, tuple[bool, int]] = {}
    for entry in events:
        call_id, kind = str(entry.get("call_id")), entry.get("event")
        if kind == "tool.approval_requested":
            asked[call_id] = _ms(entry.get("at_ms"))
        elif kind in ("tool.approved", "tool.rejected") and entry.get("by") == PAGE:
            found[call_id] = (kind == "tool.approved", _ms(entry.get("at_ms")) - asked.get(call_id, 0))
    return found


def left_out(folder: Path) -> list[str]:
    """Return what happened in a recorded call that no story can say, a line each."""
    about = _object(folder / ABOUT)
    found = (
        [f"the offer asked for a session of its own: {', '.join(wish)}"]
        if (wish := about.get("wish"))
        else []
    )
    for entry in _objects(folder / "events.jsonl"):
        if entry.get("event") in ("tool.approved", "tool.rejected") and entry.get("by") == OPERATOR:
            answer = str(entry["event"]).removeprefix("tool.")
            found.append(
                f"a tool call was {answer} by the operator, at {_ms(entry.get('at_ms')) / 1000:.2f} s"
            )
    for at_s, event in _messages(folder):
        kind = str(event.get("type"))
        if kind not in SAYABLE:
            found.append(f"the caller's client sent {kind[:80]}, at {at_s:.2f} s")
    return found


def _messages(folder: Path) -> Iterator[tuple[float, dict[str, Any]]]:
    file = folder / "messages.jsonl"
    for message in _objects(file):
        try:
            event, at_s = json.loads(str(message.get("text"))), float(message["t"])
            if not 0 <= at_s < LONGEST_S:
                raise ValueError(f"t is {at_s}")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoryError(f"{file}: not what a recording writes: {error}") from None
        if isinstance(event, dict):
            yield at_s, event


def _doings(folder: Path, answers: Answers) -> Iterator[_Doing]:
    for at_s, event in _messages(folder):
        kind = event.get("type")
        at = _frame(round(at_s * pcm.RATE) + 2)  # written to a tenth of a millisecond
        if kind == "rtbridge.agent.switch":
            yield _Doing(at, switch=str(event.get("agent")))
        elif kind == "conversation.item.create" and (text := _typed(event)):
            yield _Doing(at, typed=text)
        elif kind == "rtbridge.dtmf" and (digits := str(event.get("digits"))) and not set(digits) - set(KEYS):
            yield _Doing(at, press=digits)
        elif kind in ("rtbridge.tool.approve", "rtbridge.tool.reject"):
            approve, waited_ms = answers.get(str(event.get("call_id")), (None, 0))
            if approve is not None:
                yield _Doing(at, approve=approve, waited_ms=max(0, waited_ms))


def _typed(event: Mapping[str, Any]) -> str:
    item = event.get("item")
    if not isinstance(item, dict) or item.get("role") != "user":
        return ""
    parts = item.get("content") or ()
    return " ".join(str(part.get("text")) for part in parts if isinstance(part, dict) and part.get("text"))


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
