"""What happened in a replayed call, turn by turn, by two witnesses: the recordings and the journal.

Latencies come from the recordings: from the end of the caller's speech in the caller's recording to the first audible
sample of the agent in what was heard. Words, agents and tools come from the journal, but only what was heard of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rtbridge.core import pcm
from rtbridge.replay.alignment import held
from rtbridge.replay.caller_said import caller_said_in, understood_in
from rtbridge.replay.hearing import Burst, bursts_of
from rtbridge.replay.noises import Disturbance, disturbance
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.script import Played
from rtbridge.replay.words import WordErrors, word_errors

EARLY_MS = 20  # a frame: an item that begins within one of a turn's end belongs to its answer
SAME_MOMENT_MS = 40  # entries of one barge-in are written within two frames


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
    noise: Disturbance | None  # what a noise did; None but for noises
    talked_over_ms: float  # for how long caller and agent were audible at once
    cut_in: bool  # the agent began to speak while the caller did
    answer: tuple[Heard, ...]
    journal: dict[str, Any] | None  # the fields of turn.ended
    cuts: tuple[Cut, ...]
    barged_in: bool  # the journal has barge_in.confirmed for it
    understood: str = ""  # what the upstream made of it
    words: WordErrors | None = None  # of that; None where the story does not say the words

    @property
    def ignored(self) -> bool:
        """Say whether this is a noise that the agent ignored."""
        return self.noise is not None and self.noise.ignored and not self.barged_in

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
    false_barge_ins: int  # interruptions of the agent that no turn of the caller made


def look(result: RunResult) -> Seen:
    """Return what happened in a call."""
    bursts = bursts_of(result.heard)
    items = _items(result.journal)
    turns = [played for played in result.played if not played.turn.is_noise]
    ends = [_ms(played.speech_end) for played in turns]
    answers: list[list[Heard]] = [[] for _ in range(len(turns) + 1)]
    for item in items:  # an item answers the last turn that was over when it began
        answers[sum(end <= item.start_ms + EARLY_MS for end in ends)].append(item)
    caller_said = caller_said_in(result)
    seen = []
    for played in result.played:
        answer: Sequence[Heard] = ()
        until = _next_end(played, turns)
        if not played.turn.is_noise:
            answer = answers[turns.index(played) + 1]
        spans = [(item.item_id, float(item.start_ms), float(item.end_ms)) for item in items]
        noise = disturbance(result, played, bursts, spans) if played.turn.is_noise else None
        understood = "" if noise else understood_in(played, turns, caller_said)
        seen.append(_turn(result, played, until, bursts, answer, noise, understood))
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
        caller_said=caller_said,
        protocol_errors=_protocol_errors(result),
        false_barge_ins=_false_barge_ins(result),
    )


def _turn(
    result: RunResult,
    played: Played,
    until: int,
    bursts: Sequence[Burst],
    answer: Sequence[Heard],
    noise: Disturbance | None,
    understood: str,
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
        noise=noise,
        talked_over_ms=_ms(sum(_both(burst, played) for burst in bursts)),
        cut_in=any(played.speech_start < burst.start < played.speech_end for burst in bursts),
        answer=tuple(answer),
        journal=None if ended is None or is_noise else ended.fields,
        cuts=() if barge_in is None else tuple(_cuts(result, barge_in)),
        barged_in=barge_in is not None,
        understood=understood,
        words=None if played.turn.words is None else word_errors(played.turn.words, understood),
    )


def _both(burst: Burst, played: Played) -> int:
    """Return for how many samples the agent was audible while the caller was."""
    return max(0, min(burst.end, played.speech_end) - max(burst.start, played.speech_start))


def _barge_in(result: RunResult, played: Played) -> Logged | None:
    """Return the entry of the interruption by this turn: after its beginning and before the next turn's."""
    later = [other.speech_start for other in result.played if other.speech_start > played.speech_start]
    until_ms = _ms(min(later, default=1 << 62))
    entries = _all(result.journal, "barge_in.confirmed")
    return next((e for e in entries if _ms(played.speech_start) <= e.at_ms < until_ms), None)


def _false_barge_ins(result: RunResult) -> int:
    """Count the interruptions before which the caller did nothing, or made a noise."""
    found = 0
    for entry in _all(result.journal, "barge_in.confirmed"):
        begun = [played for played in result.played if _ms(played.speech_start) <= entry.at_ms]
        found += not begun or begun[-1].turn.is_noise
    return found


def _cuts(result: RunResult, barge_in: Logged) -> list[Cut]:
    """Return the items that were thrown away at a barge-in."""
    found: list[Cut] = []
    # What was playing began then; the same words spoken earlier in the call are another item's.
    paused_ms = barge_in.fields.get("paused_ms", 0) + _paused_before_ms(result, barge_in)
    since_ms = barge_in.at_ms - barge_in.fields["heard_ms"] - paused_ms - SAME_MOMENT_MS
    since = pcm.samples_of_ms(max(0, since_ms))
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


def _paused_before_ms(result: RunResult, barge_in: Logged) -> int:
    """Return for how long the agent was paused by what was dismissed while the words that were cut were heard."""
    return sum(
        int(entry.fields["paused_ms"])
        for entry in _all(result.journal, "barge_in.dismissed")
        if barge_in.at_ms - barge_in.fields["heard_ms"] - 2_000 <= entry.at_ms <= barge_in.at_ms
    )


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
    least, most = held(result.heard, made, since=since)
    return _ms(least), _ms(most)


def _items(journal: Sequence[Logged]) -> list[Heard]:
    agents = {
        entry.fields["item_id"]: entry.fields["agent"]
        for entry in journal
        if entry.event in ("item.begun", "turn.ended", "agent.said")
    }
    found = []
    for entry in _all(journal, "item.heard"):
        f = entry.fields
        start_ms, end_ms = _span(journal, entry)
        agent = agents.get(f["item_id"]) or _agent_at(journal, start_ms)
        found.append(
            Heard(
                f["item_id"],
                agent,
                start_ms,
                end_ms,
                f["heard_ms"],
                f["total_ms"],
                f["heard_text"],
                f["unheard_text"],
            )
        )
    return found


def _span(journal: Sequence[Logged], heard: Logged) -> tuple[int, int]:
    """Return from when to when an item was heard, the pauses in it included: sounds that might have been speech."""
    end_ms = heard.at_ms
    for entry in _all(journal, "barge_in.confirmed"):
        if 0 <= heard.at_ms - entry.at_ms <= SAME_MOMENT_MS:
            end_ms = entry.at_ms - int(entry.fields.get("paused_ms", 0))
    start_ms = end_ms - int(heard.fields["heard_ms"])
    for entry in reversed(_all(journal, "barge_in.dismissed")):
        if start_ms < entry.at_ms <= end_ms:
            start_ms -= int(entry.fields["paused_ms"])
    return start_ms, end_ms


def _agent_at(journal: Sequence[Logged], at_ms: int) -> str:
    agent = ""
    for entry in journal:
        if entry.event == "call.opened":
            agent = entry.fields["agent"]
        elif entry.event == "agent.handed_off" and entry.at_ms <= at_ms:
            agent = entry.fields["to"]
    return agent


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
