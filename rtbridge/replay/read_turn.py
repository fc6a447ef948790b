"""Reading a `[[turn]]`: the one thing that it does, when it starts, and what is expected of the answer."""

from __future__ import annotations

from typing import Final

from rtbridge.core.dtmf import KEYS
from rtbridge.replay.script import MAX_CALL_MS
from rtbridge.replay.story import DEFAULT_DELAY_MS, Anchor, NoiseKind, Start, Turn, TurnExpect
from rtbridge.replay.surroundings import Surroundings, pattern
from rtbridge.replay.tables import Table, suggest

SOURCES: Final = ("say", "text", "noise", "type", "press", "switch", "approve")
MAX_PRESSED: Final = 64


def read_turn(n: int, table: Table, around: Surroundings) -> Turn:
    """Return the story's turn `n`, counted from 0; problems are noted in the table."""
    line = table.problems.line(table.path)
    turn_id = table.text("id") or f"turn {n + 1}"
    named = [key for key in SOURCES if key in table]
    sound = None
    for key in ("say", "noise"):
        if (file := table.text(key)) is not None:
            sound = around.sound(table, key, file)
    if (words := table.text("text")) is not None:
        sound = around.spoken(table, "text", words)
    typed, switch, approve = table.text("type"), table.text("switch"), table.boolean("approve")
    around.agent_exists(table, "switch", switch)
    press, kind, told = _press(table), _kind(table, "noise" in named), table.text("words")
    if told is not None and not {"say", "noise"} & set(named):
        table.add("words", "`words` are those of a file: beside `say` or `noise`, or not at all")
    if len(named) != 1:
        there = " and ".join(f"`{key}`" for key in named) or "nothing"
        table.add(None, f'turn "{turn_id}" has {there} to do: give it one of {", ".join(SOURCES)}')
    is_noise = "noise" in named
    start = _start(table, Anchor.AGENT_SPEECH_END if approve is None else Anchor.APPROVAL)
    if approve is not None and start.after is not Anchor.APPROVAL:
        table.add(
            "start", "an answer to a tool call comes after `approval`: before, there is nothing to answer"
        )
    expect = _expect(table, around, start, is_noise=is_noise, is_switch=switch is not None)
    turn = Turn(
        turn_id, line, sound, typed, is_noise, start, expect, switch, approve, press, words or told, kind
    )
    table.finish()
    return turn


def _kind(table: Table, is_noise: bool) -> NoiseKind | None:
    """Take what a noise is."""
    kind, kinds = table.text("kind"), [one.value for one in NoiseKind]
    if kind is None:
        return None
    if not is_noise:
        table.add("kind", "`kind` is of a `noise`: this turn is none")
    elif kind not in kinds:
        table.add("kind", f'no kind of noise "{kind}"{suggest(kind, kinds)}')
    return NoiseKind(kind) if kind in kinds else None


def _press(table: Table) -> str | None:
    """Take keys of a telephone."""
    press = table.text("press")
    wrong = [key for key in press or "" if key not in KEYS]
    if wrong:
        hint = ": write A to D large" if wrong[0] in "abcd" else ""
        table.add("press", f'"{wrong[0]}" is no key of a telephone; there is {KEYS}{hint}')
    elif press is not None and len(press) > MAX_PRESSED:
        table.add("press", f"{len(press)} keys; at most {MAX_PRESSED} make a turn")
    return press


def _start(table: Table, usual: Anchor) -> Start:
    start = table.table("start", "`start`")
    if start is None:
        return Start(usual)
    names = [anchor.value for anchor in Anchor]
    after = start.text("after")
    if after is not None and after not in names:
        start.add("after", f'no anchor "{after}"{suggest(after, names)}')
        after = None
    delay_ms = start.ms("delay_ms", at_most=MAX_CALL_MS)
    start.finish()
    return Start(
        Anchor(after) if after else usual,
        DEFAULT_DELAY_MS if delay_ms is None else delay_ms,
    )


def _expect(
    table: Table, around: Surroundings, start: Start, *, is_noise: bool, is_switch: bool
) -> TurnExpect:
    expect = table.table("expect", "`expect` of a turn")
    if expect is None:
        return TurnExpect()
    found = TurnExpect(
        respond_within_ms=expect.ms("respond_within_ms"),
        heard=pattern(expect, "heard"),
        agent=expect.text("agent"),
        stop_within_ms=expect.ms("stop_within_ms"),
        truncate_error_ms=expect.ms("truncate_error_ms"),
        unheard_in_context=expect.boolean("unheard_in_context"),
        ignore=expect.boolean("ignore") or False,
    )
    around.agent_exists(expect, "agent", found.agent)
    if found.ignore and not is_noise:
        expect.add("ignore", "only a `noise` can be ignored: this turn says something")
    for key in ("stop_within_ms", "truncate_error_ms", "unheard_in_context"):
        if key in expect and start.after is Anchor.AGENT_SPEECH_END:
            expect.add(
                key,
                f"`{key}` can never come true: nobody is interrupted by a turn after "
                f"{start.after.value}; start it after agent_speech_start",
            )
        elif key in expect and is_switch:
            expect.add(
                key, f"`{key}` is about callers who interrupt: at a switch the next agent speaks at once"
            )
    if found.unheard_in_context is True:
        expect.add("unheard_in_context", "write false: what nobody heard must not stay in the context")
    expect.finish()
    return found
