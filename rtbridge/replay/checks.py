"""Expectations of a story against what was seen: each that failed is one sentence a person can act on.

A sentence names the turn, what was expected, what was heard or seen instead, and when. What a road cannot tell is a
note, never a pass in silence.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rtbridge.core.journal import LATENCY_PARTS
from rtbridge.replay.carried import media_complaints
from rtbridge.replay.dead_air import dead_air_ms
from rtbridge.replay.evidence import Heard, Seen, SeenTurn
from rtbridge.replay.failure import Failure, Verdict
from rtbridge.replay.flagged import flagged
from rtbridge.replay.metrics import bridge_added_ms, percentile
from rtbridge.replay.noises import MOST_PAUSED_MS
from rtbridge.replay.result import RunResult

SHOWN_CHARS = 200


def judge(result: RunResult, seen: Seen) -> Verdict:
    """Hold what was seen against what the story expects."""
    sounds = (turn.sound for turn in result.story.turns if turn.sound is not None)
    notes: list[str] = [sound.note for sound in sounds if sound.note is not None]
    failures = [
        *_course(result),
        *_cassette(result, notes),
        *_ending(result),
        *(failure for turn in seen.turns for failure in _turn(turn, notes)),
        *_handoffs(result, seen),
        *_tools(result, seen),
        *_guardrail(result, notes),
        *_effects(result, seen),
        *_transcript(result, seen),
        *_budget(result, seen, notes),
    ]
    return Verdict(tuple(failures), tuple(dict.fromkeys(notes)))


def _course(result: RunResult) -> Iterator[Failure]:
    """Yield what kept the story from being played to its end."""
    if result.stuck is None:
        return
    done = {played.turn.id for played in result.played}
    left = next((turn for turn in result.story.turns if turn.id not in done), None)
    yield Failure(left.id if left else None, "start", result.stuck)


def _cassette(result: RunResult, notes: list[str]) -> Iterator[Failure]:
    for sentence in result.mismatches:
        yield Failure(None, "cassette", f"the bridge does not ask what the cassette answers: {sentence}")
    if result.uncompared:
        what = f"{result.uncompared} tool outputs were not compared: the arguments of their calls are masked"
        notes.append(f"cassette: {what}")


def _ending(result: RunResult) -> Iterator[Failure]:
    if (pattern := result.story.expect.ended) is None:
        return
    reasons = [str(entry.fields["reason"]) for entry in result.journal if entry.event == "call.closed"]
    reason = reasons[0] if reasons else result.reason
    if not _found(pattern, reason):
        yield Failure(None, "ended", f'expected the call to end with /{pattern}/; it ended with "{reason}"')


def _turn(turn: SeenTurn, notes: list[str]) -> Iterator[Failure]:
    name, expect = turn.played.turn.id, turn.played.turn.expect

    def fail(what: str, expected: str, instead: str) -> Failure:
        return Failure(name, what, f"expected {expected}; {instead}")

    if (limit := expect.respond_within_ms) is not None and (
        turn.respond_ms is None or turn.respond_ms > limit
    ):
        end = f"the end of {_source(turn)} at {_s(turn.played.speech_end / 24)}"
        yield fail("respond_within_ms", f"an answer within {limit} ms of {end}", _first_sound(turn))
    if expect.heard is not None and not _found(expect.heard, turn.text):
        yield fail("heard", f"to hear /{expect.heard}/", _heard(turn))
    if expect.agent is not None and turn.agent != expect.agent:
        yield fail("agent", f"{expect.agent} to answer", _heard(turn))
    if expect.ignore and (instead := _not_ignored(turn)) is not None:
        yield fail("ignore", f"{_source(turn)} to be ignored", instead)
    yield from _interruption(turn, fail, notes)


def _not_ignored(turn: SeenTurn) -> str | None:
    """Return what a noise did that it should not; None when it was ignored."""
    noise = turn.noise
    if noise is None or turn.ignored:
        return None
    if turn.barged_in:
        return "the agent was interrupted by it"
    if noise.taken_for_turn:
        return "it was taken for a turn of the caller"
    if noise.paused_ms is None:
        return "the agent did not go on"
    if noise.lost:
        return f"{noise.lost_ms:g} ms of the agent's words were lost"
    return f"the agent paused for {noise.paused_ms:g} ms, {MOST_PAUSED_MS} ms are the most"


def _interruption(turn: SeenTurn, fail: Any, notes: list[str]) -> Iterator[Failure]:
    expect = turn.played.turn.expect
    began = f"{_source(turn)} began at {_s(turn.played.speech_start / 24)}"
    wants = [expect.stop_within_ms, expect.truncate_error_ms, expect.unheard_in_context]
    if all(want is None for want in wants):
        return
    if not turn.spoken_over:
        yield fail("stop_within_ms", "to interrupt the agent", f"the agent was silent when {began}")
        return
    if (limit := expect.stop_within_ms) is not None and (turn.stop_ms or 0) > limit:
        until = f"the agent was heard for another {turn.stop_ms:g} ms after {began}"
        yield fail("stop_within_ms", f"the agent to be silent within {limit} ms", until)
    if not turn.cuts:
        if expect.truncate_error_ms is not None or expect.unheard_in_context is not None:
            yield fail("unheard_in_context", "an item to be cut", "the journal has no item cut at that time")
        return
    if (limit := expect.truncate_error_ms) is not None:
        for cut in turn.cuts:
            if cut.error_ms is None:
                notes.append(
                    "truncate_error_ms: what was heard of an item is only measured on the virtual road"
                )
            elif cut.error_ms > limit:
                told = "nothing" if cut.truncated_ms is None else f"{cut.truncated_ms} ms"
                yield fail(
                    "truncate_error_ms",
                    f"item {cut.item_id} to be cut within {limit} ms of what was heard",
                    f"the upstream was told {told}, and {cut.least_ms:g} ms of it were heard",
                )
    if expect.unheard_in_context is False:
        for cut in turn.cuts:
            if cut.truncated_ms is None and not cut.deleted:
                left = f'the upstream still has "{_short(cut.unheard)}" of item {cut.item_id}'
                yield fail("unheard_in_context", "nothing unheard to stay in the upstream's context", left)


def _handoffs(result: RunResult, seen: Seen) -> Iterator[Failure]:
    expected = result.story.expect.handoffs
    if expected is not None and expected != seen.handoffs:
        path = f"expected the handoffs {_path(expected)}, seen {_path(seen.handoffs)}"
        times = [
            f"{e.fields['to']} at {_s(e.at_ms)}" for e in result.journal if e.event == "agent.handed_off"
        ]
        yield Failure(None, "handoffs", path + (f" ({', '.join(times)})" if times else ""))


def _tools(result: RunResult, seen: Seen) -> Iterator[Failure]:
    """Yield what is missing of the expected calls, in their order; other calls may come between them."""
    expected = result.story.expect.tools
    if expected is None:
        return
    airs = dead_air_ms(result) if any(tool.dead_air_ms is not None for tool in expected) else ()
    called = "; ".join(f"{name}({arguments}) at {_s(at)}" for at, name, arguments in seen.tools) or "no tool"
    if not expected and seen.tools:
        yield Failure(None, "tools", f"expected no tool to be called, seen {called}")
    rest = iter(enumerate(seen.tools))
    for tool in expected:
        found = next(
            ((n, at) for n, (at, name, args) in rest if name == tool.name and _holds(args, tool.args)), None
        )
        if found is None:
            args = json.dumps(dict(tool.args), ensure_ascii=False, default=str)
            yield Failure(None, "tools", f"expected the call {tool.name}({args}) in its place, seen {called}")
            return
        if tool.dead_air_ms is not None and airs[found[0]] > tool.dead_air_ms:
            wanted = f"expected at most {tool.dead_air_ms} ms of silence while {tool.name} ran"
            heard = f"heard nothing for {airs[found[0]]:g} ms of the call at {_s(found[1])}"
            yield Failure(None, "dead_air_ms", f"{wanted}, {heard}")


def _guardrail(result: RunResult, notes: list[str]) -> Iterator[Failure]:
    expected = result.story.expect.guardrail
    if expected is None:
        return
    all_flagged = flagged(result)
    tripped = [one for one in all_flagged if one.category == expected.tripped]
    if not tripped:
        others = "; ".join(
            f'{one.category} over "{_short(one.text)}" at {_s(one.at_ms)}' for one in all_flagged
        )
        message = (
            f"expected a guardrail to trip over {expected.tripped}, seen {others or 'none that tripped'}"
        )
        yield Failure(None, "guardrail", message)
    if (limit := expected.audible_ms) is None:
        return
    for one in tripped:
        if one.audible_ms is None:
            notes.append("audible_ms: what was heard of an item is only measured on the virtual road")
        elif one.audible_ms > limit:
            wanted = f'expected at most {limit} ms of "{_short(one.text)}" to be audible'
            yield Failure(None, "guardrail", f"{wanted}, heard {one.audible_ms:g} ms of it")


def _effects(result: RunResult, seen: Seen) -> Iterator[Failure]:
    expected = result.story.expect.effects
    if expected is None:
        return
    counts = {effect.tool: effect.count for effect in expected}
    done = Counter(tool for _, tool in seen.effects)
    for tool in sorted(counts.keys() | done.keys()):
        if done[tool] != counts.get(tool, 0):
            times = ", ".join(_s(at) for at, name in seen.effects if name == tool) or "never"
            yield Failure(
                None,
                "effects",
                f"expected {counts.get(tool, 0)} effects of {tool}, seen {done[tool]} ({times})",
            )


def _transcript(result: RunResult, seen: Seen) -> Iterator[Failure]:
    for said in result.story.expect.transcript:
        lines = (
            [(item.start_ms, item.agent, item.text) for item in seen.items]
            if said.who == "agent"
            else [(at, "caller", text) for at, text in seen.caller_said]
        )
        whole = " ".join(text for _, _, text in lines)
        if said.like is not None and not _found(said.like, whole):
            heard = f'heard "{_short(whole)}"' if whole else "heard nothing"
            yield Failure(None, "transcript", f"expected /{said.like}/ from the {said.who}, {heard}")
        if said.never is not None:
            for at, who, text in lines:
                if _found(said.never, text):
                    message = (
                        f'expected never to hear /{said.never}/, {who} said "{_short(text)}" at {_s(at)}'
                    )
                    yield Failure(None, "transcript", message)


def _budget(result: RunResult, seen: Seen, notes: list[str]) -> Iterator[Failure]:
    budget = result.story.budget
    for key, message in media_complaints(result, notes):
        yield Failure(None, key, message)
    if (most := budget.protocol_errors) is not None and len(seen.protocol_errors) > most:
        shown = "; ".join(f"{text} at {_s(at)}" for at, text in seen.protocol_errors[:3])
        message = f"expected at most {most} protocol errors, seen {len(seen.protocol_errors)}: {shown}"
        yield Failure(None, "protocol_errors", message)
    for key, least, found in (
        ("underruns", budget.underruns, result.underruns),
        ("leaked_tasks", budget.leaked_tasks, result.leaked_tasks),
    ):
        if least is not None and found is None:
            notes.append(f"{key}: not told over the wire")
        elif least is not None and found is not None and found > least:
            yield Failure(None, key, f"expected at most {least} {key.replace('_', ' ')}, seen {found}")
    if (limit := budget.bridge_added_p95_ms) is not None:
        added = bridge_added_ms(seen)
        if not added:
            yield Failure(None, "bridge_added_p95_ms", "expected latencies, the journal has no turn.ended")
        elif (p95 := percentile(added, 95)) > limit:
            message = f"expected the bridge to add at most {limit:g} ms (p95), it added {p95:g} ms"
            yield Failure(None, "bridge_added_p95_ms", message)


# -- words ------------------------------------------------------------------------------------------------
def _first_sound(turn: SeenTurn) -> str:
    heard = (
        "nothing was heard"
        if turn.respond_ms is None or turn.answer_at_ms is None
        else f"the first sound came after {turn.respond_ms:g} ms, at {_s(turn.answer_at_ms)}"
    )
    told = turn.journal
    if told is None:
        return f"{heard}; the journal has no turn.ended for it"
    spent = ", ".join(f"{key} {told[key]}" for key in LATENCY_PARTS if told.get(key))
    return f"{heard}; the journal says respond_ms {told.get('respond_ms')} ({spent})"


def _heard(turn: SeenTurn) -> str:
    spoken = [item for item in turn.answer if item.text]
    if not spoken:
        return "heard no words"
    return "heard " + ", ".join(_line(item) for item in spoken)


def _line(item: Heard) -> str:
    return f'"{_short(item.text)}" from {item.agent} at {_s(item.start_ms)}'


def _source(turn: SeenTurn) -> str:
    return f'"{turn.played.turn.label}"'


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _holds(arguments: str, wanted: Mapping[str, Any]) -> bool:
    """Say whether a call's arguments (JSON text) have at least the wanted ones, nested tables included."""
    try:
        return _subset(wanted, json.loads(arguments or "{}"))
    except ValueError:
        return False


def _subset(wanted: Any, there: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(there, dict) and all(
            key in there and _subset(value, there[key]) for key, value in wanted.items()
        )
    return bool(wanted == there)


def _path(agents: tuple[str, ...]) -> str:
    return " -> ".join(agents) or "(none)"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 1] + "…"


def _s(ms: float) -> str:
    return f"{ms / 1000:.2f} s"
