"""What happened in a replayed call, turn by turn, by two witnesses: the recordings and the journal.

Latencies come from the recordings: from the end of the caller's speech in the caller's recording to the first audible
sample of the agent in what was heard. Words, agents and tools come from the journal, but only what was heard of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rtbridge.core import pcm
from rtbridge.replay.hearing import Burst, audible_span, bursts_of
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.script import Played

EARLY_MS = 20  # a frame: an item that begins within one of a turn's end belongs to its answer
SAME_MOMENT_MS = 40  # entries of one barge-in are written within two frames
PROBE_SAMPLES = pcm.samples_of_ms(20)


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of one item of an agent."""

    item_id: str
    agent: str
    start_ms: int
    end_ms: int
    heard_ms: int
    total_ms: int
    text: str
    unheard: str


@dataclass(frozen=True, slots=True)
class Cut:
    """An item that a turn interrupted, by what the upstream was told of it and by what the recording holds.

    In a pause of the item the recording holds silence, whether it played on or was cut: then all from `least_ms` to
    `most_ms` is true. Both are None where the road does not know the item's audio.
    """

    item_id: str
    truncated_ms: int | None  # what the upstream was told; None: it was told nothing
    deleted: bool
    least_ms: float | None
    most_ms: float | None
    unheard: str

    @property
    def error_ms(self) -> float | None:
        """Return by how much the upstream was told wrong."""
        if self.least_ms is None or self.most_ms is None:
            return None
        told = self.truncated_ms or 0
        return max(self.least_ms - told, told - self.most_ms, 0.0)


@dataclass(frozen=True, slots=True)
class SeenTurn:
    """One turn and what came of it. Times are None where nothing was heard."""

    played: Played
    respond_ms: float | None  # end of speech -> first audible sample of the answer
    answer_at_ms: float | None
    spoken_over: bool  # the agent was audible, or had more to say, when the caller's speech began
    stop_ms: float | None  # caller's first audible sample -> the agent's last, where spoken over
    gap_ms: float | None  # the longest silence in the agent's speech from a noise on; None but for noises
    answer: tuple[Heard, ...]
    journal: dict[str, Any] | None  # the fields of turn.ended
    cuts: tuple[Cut, ...]
    barged_in: bool  # the journal has barge_in.confirmed for it

    @property
    def agent(self) -> str | None:
        """Return who spoke last in the answer."""
        return self.answer[-1].agent if self.answer else None

    @property
    def text(self) -> str:
        """Return what was heard of the answer."""
        return " ".join(item.text for item in self.answer if item.text)


@dataclass(frozen=True, slots=True)
class Seen:
    """A whole call."""

    turns: tuple[SeenTurn, ...]
    greeting: tuple[Heard, ...]
    items: tuple[Heard, ...]
    handoffs: tuple[str, ...]
    tools: tuple[tuple[int, str, str], ...]  # (at_ms, name, arguments as JSON)
    effects: tuple[tuple[int, str], ...]  # (at_ms, tool), one for each time that a tool changed the world
    caller_said: tuple[tuple[int, str], ...]  # (at_ms, text) as the upstream understood it, or as typed
    protocol_errors: tuple[tuple[int, str], ...]


def look(result: RunResult) -> Seen:
    """Return what happened in a call."""
    bursts = bursts_of(result.heard)
    items = _items(result.journal)
    turns = [played for played in result.played if not played.turn.is_noise]
    ends = [_ms(played.speech_end) for played in turns]
    answers: list[list[Heard]] = [[] for _ in range(len(turns) + 1)]
    for item in items:  # an item answers the last turn that was over when it began
        answers[sum(end <= item.start_ms + EARLY_MS for end in ends)].append(item)
    seen = []
    for played in result.played:
        answer: Sequence[Heard] = ()
        until = _next_end(played, turns)
        if not played.turn.is_noise:
            answer = answers[turns.index(played) + 1]
        seen.append(_turn(result, played, until, bursts, answer))
    return Seen(
        turns=tuple(seen),
        greeting=tuple(answers[0]),
        items=tuple(items),
        handoffs=tuple(entry.fields["to"] for entry in _all(result.journal, "agent.handed_off")),
        tools=tuple(
            (entry.at_ms, entry.fields["name"], entry.fields["arguments"])
            for entry in _all(result.journal, "tool.started")
        ),
        effects=tuple((entry.at_ms, entry.fields["tool"]) for entry in _all(result.journal, "effect.done")),
        caller_said=_caller_said(result),
        protocol_errors=_protocol_errors(result),
    )


def _turn(
    result: RunResult, played: Played, until: int, bursts: Sequence[Burst], answer: Sequence[Heard]
) -> SeenTurn:
    first = next((b for b in bursts if played.speech_end <= b.start < until), None)
    ended = next(
        (
            entry
            for entry in _all(result.journal, "turn.ended")
            if _ms(played.speech_end) - EARLY_MS <= entry.at_ms < _ms(until)
        ),
        None,
    )
    barge_in = _barge_in(result, played)
    over = next((b for b in bursts if b.start < played.speech_start < b.end), None)
    if over is None and barge_in is not None:  # in a pause between two sentences
        flushed = pcm.samples_of_ms(barge_in.at_ms + SAME_MOMENT_MS)
        over = next((b for b in reversed(bursts) if b.start < flushed), None)
    is_noise = played.turn.is_noise
    return SeenTurn(
        played=played,
        respond_ms=None if first is None or is_noise else _ms(first.start - played.speech_end),
        answer_at_ms=None if first is None or is_noise else _ms(first.start),
        spoken_over=over is not None,
        stop_ms=None if over is None else max(0.0, _ms(over.end - played.speech_start)),
        gap_ms=_longest_gap_ms(bursts, played) if is_noise else None,
        answer=tuple(answer),
        journal=None if ended is None or is_noise else ended.fields,
        cuts=() if barge_in is None else tuple(_cuts(result, barge_in)),
        barged_in=barge_in is not None,
    )


def _longest_gap_ms(bursts: Sequence[Burst], noise: Played) -> float | None:
    """Return the longest silence between bursts that touches the noise; None if speech never came back."""
    gaps = [
        _ms(after.start - before.end)
        for before, after in itertools.pairwise(bursts)
        if after.start > noise.start and before.end > noise.start
    ]
    if any(burst.start < noise.start and burst.end > noise.end for burst in bursts):
        return 0.0
    return gaps[0] if gaps else None


def _barge_in(result: RunResult, played: Played) -> Logged | None:
    """Return the entry of the interruption by this turn: after its beginning and before the next turn's."""
    later = [other.speech_start for other in result.played if other.speech_start > played.speech_start]
    until_ms = _ms(min(later, default=1 << 62))
    entries = _all(result.journal, "barge_in.confirmed")
    return next((e for e in entries if _ms(played.speech_start) <= e.at_ms < until_ms), None)


def _cuts(result: RunResult, barge_in: Logged) -> list[Cut]:
    """Return the items that were thrown away at a barge-in."""
    found: list[Cut] = []
    # What was playing began then; the same words spoken earlier in the call are another item's.
    since = pcm.samples_of_ms(max(0, barge_in.at_ms - barge_in.fields["heard_ms"] - SAME_MOMENT_MS))
    for entry in result.journal:
        item_id = str(entry.fields.get("item_id"))
        if not barge_in.at_ms <= entry.at_ms <= barge_in.at_ms + SAME_MOMENT_MS:
            continue
        if entry.event == "item.heard" and entry.fields["heard_ms"] < entry.fields["total_ms"]:
            told, unheard = _truncations(result).get(item_id), entry.fields["unheard_text"]
            found.append(Cut(item_id, told, False, *_held(result, item_id, since), unheard))
        elif entry.event == "item.deleted":
            found.append(Cut(item_id, None, True, *_held(result, item_id, since), ""))
    return found


def _truncations(result: RunResult) -> dict[str, int]:
    """Return item -> audio_end_ms as the upstream acknowledged it, or as the journal has it."""
    told = {
        str(m.event.get("item_id")): int(m.event.get("audio_end_ms", 0))
        for m in result.messages
        if m.event.get("type") == "conversation.item.truncated"
    }
    for entry in _all(result.journal, "item.truncated"):
        told.setdefault(entry.fields["item_id"], entry.fields["heard_ms"])
    return told


def _held(result: RunResult, item_id: str, since: int) -> tuple[float | None, float | None]:
    """Return how much of an item's audio the recording holds from sample `since` on, at least and at most."""
    made = result.made.get(item_id)
    if made is None:
        return None, None
    item = np.frombuffer(made, "<i2")
    start = audible_span(made).start
    at = _find(result.heard, item[start : start + PROBE_SAMPLES].tobytes(), since)
    if at is None:
        return 0.0, _ms(start)
    heard = np.frombuffer(result.heard, "<i2")[at:]
    length = min(len(heard), len(item) - start)
    differ = np.flatnonzero(heard[:length] != item[start : start + length])
    same = int(differ[0]) if len(differ) else length
    sounding = np.flatnonzero(item[start : start + same])
    least = int(sounding[-1]) + 1 if len(sounding) else 0
    return _ms(start + least), _ms(start + same)


def place_of(heard: bytes, made: bytes, *, since: int) -> int | None:
    """Return the sample of a recording at which an item's audio begins, from sample `since` on; None: nowhere."""
    start = audible_span(made).start
    probe = made[start * pcm.SAMPLE_BYTES : (start + PROBE_SAMPLES) * pcm.SAMPLE_BYTES]
    at = _find(heard, probe, since)
    return None if at is None else at - start


def _find(stream: bytes, probe: bytes, since: int) -> int | None:
    """Return the first sample, from `since` on, at which `probe` begins in `stream`."""
    at = stream.find(probe, since * pcm.SAMPLE_BYTES)
    while at > 0 and at % 2:  # half a sample off is another sound
        at = stream.find(probe, at + 1)
    return at // 2 if at >= 0 else None


def _items(journal: Sequence[Logged]) -> list[Heard]:
    agents = {
        entry.fields["item_id"]: entry.fields["agent"]
        for entry in journal
        if entry.event in ("turn.ended", "agent.said")
    }
    found = []
    for entry in _all(journal, "item.heard"):
        f = entry.fields
        start_ms = entry.at_ms - f["heard_ms"]
        agent = agents.get(f["item_id"]) or _agent_at(journal, start_ms)
        found.append(
            Heard(
                f["item_id"],
                agent,
                start_ms,
                entry.at_ms,
                f["heard_ms"],
                f["total_ms"],
                f["heard_text"],
                f["unheard_text"],
            )
        )
    return found


def _agent_at(journal: Sequence[Logged], at_ms: int) -> str:
    agent = ""
    for entry in journal:
        if entry.event == "call.opened":
            agent = entry.fields["agent"]
        elif entry.event == "agent.handed_off" and entry.at_ms <= at_ms:
            agent = entry.fields["to"]
    return agent


def _caller_said(result: RunResult) -> tuple[tuple[int, str], ...]:
    """Return what was understood of the caller; over the wire from the stock events, typed turns as typed."""
    logged = [(entry.at_ms, str(entry.fields["text"])) for entry in _all(result.journal, "caller.said")]
    if logged:
        return tuple(logged)
    spoken = [
        (m.at_ms, str(m.event.get("transcript") or ""))
        for m in result.messages
        if m.event.get("type") == "conversation.item.input_audio_transcription.completed"
    ]
    typed = [(round(_ms(p.start)), p.turn.typed) for p in result.played if p.turn.typed]
    return tuple(sorted([*spoken, *typed]))


def _protocol_errors(result: RunResult) -> tuple[tuple[int, str], ...]:
    """Return every `error` that either side was sent, but for the benign ones."""
    upstream = [
        (entry.at_ms, f"upstream: {entry.fields['code']}: {entry.fields['message']}")
        for entry in _all(result.journal, "upstream.erred")
        if not entry.fields["benign"]
    ]
    caller = [
        (m.at_ms, f"caller: {(m.event.get('error') or {}).get('message')}")
        for m in result.messages
        if m.event.get("type") == "error"
    ]
    return tuple(sorted([*upstream, *caller]))


def _next_end(played: Played, turns: Sequence[Played]) -> int:
    """Return where the next turn's speech ends: an answer that begins before it is still this turn's."""
    later = [other.speech_end for other in turns if other.speech_end > played.speech_end]
    return min(later, default=1 << 62)


def _all(journal: Sequence[Logged], event: str) -> list[Logged]:
    return [entry for entry in journal if entry.event == event]


def _ms(samples: int) -> float:
    return round(samples * 1000 / pcm.RATE, 1)
