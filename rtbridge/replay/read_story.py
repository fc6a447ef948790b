"""Reading stories: whole, and checked whole before a call begins.

Unknown keys, wrong types, missing files and anchors that can never come are refused with file, line and a
suggestion, all of them at once: nothing in a story is ever ignored. A turn is read in read_turn.py,
expectations in read_expect.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.read_expect import read_budget, read_expect
from rtbridge.replay.read_faults import read_faults
from rtbridge.replay.read_media import read_media
from rtbridge.replay.read_turn import read_turn
from rtbridge.replay.script import MAX_CALL_MS
from rtbridge.replay.sessions import is_session, load_session
from rtbridge.replay.story import Anchor, CallExpect, Story, Turn
from rtbridge.replay.surroundings import Surroundings
from rtbridge.replay.tables import Table, read_toml, suggest
from rtbridge.replay.upstreams import read_choice

MAX_TURNS: Final = 200

Graphs = Mapping[str, Sequence[str]]
"""The agents of each scenario there is, by scenario id."""


def load_story(file: Path, graphs: Graphs | None = None, voice: CallerVoice | None = None) -> Story:
    """Read and check the story in `file`; with `graphs`, also the names of scenario and agents in it.

    `voice` speaks its texts.

    Raises StoryError with one `file:line: problem` a line.
    """
    if is_session(file):
        return load_session(file, graphs)
    table = read_toml(file, "a story")
    story = _story(table, Surroundings(file, voice or CallerVoice()), graphs)
    table.problems.raise_if_any()
    return story


def _story(table: Table, around: Surroundings, graphs: Graphs | None) -> Story:
    _read_scenario(table, around, graphs)
    agent = table.text("agent")
    around.agent_exists(table, "agent", agent)
    upstream = read_choice(table, around.find)
    media = read_media(table.table("media", "[media]"))
    expect = read_expect(table.table("expect", "[expect]"), around)
    turns = _turns(table, around, expect)
    story = Story(
        file=around.file,
        name=table.text("name") or around.file.stem,
        scenario=around.scenario,
        agent=agent,
        turns=turns,
        expect=expect,
        budget=read_budget(table.table("budget", "[budget]")),
        faults=read_faults(table),
        upstream=upstream,
        media=media,
        stays_ms=table.ms("stays_ms", at_most=MAX_CALL_MS) or 0,
    )
    table.finish()
    return story


def _read_scenario(table: Table, around: Surroundings, graphs: Graphs | None) -> None:
    """Find out whose agents the story is about."""
    scenario = table.text("scenario")
    if scenario is None:
        if "scenario" not in table:
            table.add(None, 'no scenario: write scenario = "…", the name of a scenario folder')
        return
    around.scenario = scenario
    if graphs is not None:
        around.agents = graphs.get(scenario)
        if around.agents is None:
            table.add("scenario", f'no scenario "{scenario}"{suggest(scenario, graphs)}')


def _turns(top: Table, around: Surroundings, expect: CallExpect) -> tuple[Turn, ...]:
    tables = top.tables("turn", "a turn")
    if not tables and "turn" not in top:
        top.add(None, "no turns: a story has at least one [[turn]]")
    if len(tables) > MAX_TURNS:
        top.add("turn", f"{len(tables)} turns; at most {MAX_TURNS} make a story")
    turns: list[Turn] = []
    clock_ms = 0  # how far turns at fixed times have filled the call
    for n, table in enumerate(tables[:MAX_TURNS]):
        turn = read_turn(n, table, around)
        if any(turn.id == other.id for other in turns):
            table.add("id", f'a second turn with the id "{turn.id}"')
        if turn.start.after is Anchor.TURN_END and n == 0:
            table.add("start", "the first turn has no turn before it: `turn_end` can never come")
        if turn.start.after is Anchor.HANDOFF and expect.handoffs == ():
            table.add("start", "`handoff` can never come: [expect] says that there are no handoffs")
        if turn.start.after is Anchor.CALL_START:
            if turn.start.delay_ms < clock_ms:
                table.add("start", f"the turn before it still plays then: {clock_ms} ms is the earliest")
            clock_ms = turn.start.delay_ms + (turn.sound.ms if turn.sound else 0)
        turns.append(turn)
    return tuple(turns)
