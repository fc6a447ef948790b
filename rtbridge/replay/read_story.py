"""Reading stories: whole, and checked whole before a call begins.

Unknown keys, wrong types, missing files and anchors that can never come are refused with file, line and a
suggestion, all of them at once. Keys of the format that this version cannot obey are refused too: nothing in
a story is ever ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rtbridge.engine.faults import EVENTS, MAX_FAULTS, BadFault, Fault, read_fault
from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.read_media import read_media
from rtbridge.replay.script import MAX_CALL_MS
from rtbridge.replay.sessions import is_session, load_session
from rtbridge.replay.sound import BadSound, Sound, read_sound
from rtbridge.replay.story import (
    DEFAULT_DELAY_MS,
    Anchor,
    Budget,
    CallExpect,
    EffectExpect,
    Start,
    Story,
    ToolExpect,
    TranscriptExpect,
    Turn,
    TurnExpect,
)
from rtbridge.replay.tables import Table, read_toml, suggest
from rtbridge.replay.upstreams import read_choice

MAX_TURNS: Final = 200
SOURCES: Final = ("say", "text", "noise", "type", "switch", "approve")

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
    story = _Reader(file, table, graphs, voice or CallerVoice()).story()
    table.problems.raise_if_any()
    return story


def load_faults(file: Path) -> tuple[Fault, ...]:
    """Read the `[[fault]]` tables of a file that holds nothing else. Raises StoryError as `load_story` does."""
    table = read_toml(file, "a file of faults")
    faults = _faults(table)
    table.finish()
    table.problems.raise_if_any()
    return faults


def _faults(top: Table) -> tuple[Fault, ...]:
    tables = top.tables("fault", "a fault")
    if len(tables) > MAX_FAULTS:
        top.add("fault", f"{len(tables)} faults; at most {MAX_FAULTS} make a story")
    found: list[Fault] = []
    for table in tables:
        after, do = table.text("after"), table.text("do")
        for key in ("after", "do"):
            if key not in table:
                table.add(None, f"a fault has `{key}`")
        if after is not None and do is not None:
            try:
                found.append(read_fault(after, do))
            except BadFault as error:
                known = (
                    suggest(after.partition(":")[0], EVENTS, near_only=True) if error.key == "after" else ""
                )
                table.add(error.key, f"{error}{known}")
        table.finish()
    return tuple(found)


class _Reader:
    def __init__(self, file: Path, table: Table, graphs: Graphs | None, voice: CallerVoice) -> None:
        self.voice = voice
        self.file = file
        self.table = table
        self.graphs = graphs
        self.scenario = ""
        self.agents: Sequence[str] | None = None

    def story(self) -> Story:
        table = self.table
        scenario = self.scenario = self._scenario()
        agent = table.text("agent")
        self._agent_exists(table, "agent", agent)
        upstream = read_choice(table, self._find)
        media = read_media(table.table("media", "[media]"))
        expect = self._call_expect()
        turns = self._turns(expect)
        story = Story(
            file=self.file,
            name=table.text("name") or self.file.stem,
            scenario=scenario,
            agent=agent,
            turns=turns,
            expect=expect,
            budget=self._budget(),
            faults=_faults(table),
            upstream=upstream,
            media=media,
            stays_ms=table.ms("stays_ms", at_most=MAX_CALL_MS) or 0,
        )
        table.finish()
        return story

    def _scenario(self) -> str:
        scenario = self.table.text("scenario")
        if scenario is None:
            if "scenario" not in self.table:
                self.table.add(None, 'no scenario: write scenario = "…", the name of a scenario folder')
        elif self.graphs is not None:
            self.agents = self.graphs.get(scenario)
            if self.agents is None:
                self.table.add("scenario", f'no scenario "{scenario}"{suggest(scenario, self.graphs)}')
        return scenario or ""

    def _agent_exists(self, table: Table, key: str, agent: str | None) -> None:
        if agent is not None and self.agents is not None and agent not in self.agents:
            table.add(key, f'no agent "{agent}" in this scenario{suggest(agent, self.agents)}')

    def _turns(self, expect: CallExpect) -> tuple[Turn, ...]:
        tables = self.table.tables("turn", "a turn")
        if not tables and "turn" not in self.table:
            self.table.add(None, "no turns: a story has at least one [[turn]]")
        if len(tables) > MAX_TURNS:
            self.table.add("turn", f"{len(tables)} turns; at most {MAX_TURNS} make a story")
        turns: list[Turn] = []
        clock_ms = 0  # how far turns at fixed times have filled the call
        for n, table in enumerate(tables[:MAX_TURNS]):
            turn = self._turn(n, table)
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

    def _turn(self, n: int, table: Table) -> Turn:
        line = table.problems.line(table.path)
        turn_id = table.text("id") or f"turn {n + 1}"
        named = [key for key in SOURCES if key in table]
        sound = typed = switch = None
        approve = table.boolean("approve")
        for key in SOURCES[:-1]:
            value = table.text(key)
            if value is None:
                continue
            if key == "type":
                typed = value
            elif key == "switch":
                switch = value
                self._agent_exists(table, key, value)
            else:
                sound = self._sound(table, key, value)
        table.later("press")
        if len(named) != 1 and "press" not in table:
            there = " and ".join(f"`{key}`" for key in named) or "nothing"
            table.add(None, f'turn "{turn_id}" has {there} to do: give it one of {", ".join(SOURCES)}')
        is_noise = "noise" in named
        start = self._start(table, Anchor.AGENT_SPEECH_END if approve is None else Anchor.APPROVAL)
        if approve is not None and start.after is not Anchor.APPROVAL:
            table.add(
                "start", "an answer to a tool call comes after `approval`: before, there is nothing to answer"
            )
        expect = self._turn_expect(table, start, is_noise, switch is not None)
        turn = Turn(turn_id, line, sound, typed, is_noise, start, expect, switch, approve)
        table.finish()
        return turn

    def _sound(self, table: Table, key: str, value: str) -> Sound | None:
        try:
            if key == "text":
                return self.voice.speak(value, self.scenario)
            file = self._find(value)
            if file is None:
                if any((root / value).is_file() for root in self._roots()):
                    table.add(key, f'"{value}" lies outside the scenario: copy it there')
                else:
                    table.add(key, f'no file "{value}"{suggest(value, self._audio_files())}')
                return None
            return read_sound(file, label=value)
        except BadSound as error:
            table.add(key, f'`{key}` "{value}": {error}')
            return None

    def _roots(self) -> list[Path]:
        """Return where a story's files are looked for: its own folder, and around a folder named stories."""
        folder = self.file.resolve().parent
        return [folder, folder.parent] if folder.name == "stories" else [folder]

    def _find(self, value: str) -> Path | None:
        for root in self._roots():
            file = (root / value).resolve()
            if file.is_file() and file.is_relative_to(self._roots()[-1]):
                return file
        return None

    def _audio_files(self) -> list[str]:
        return [str(f.relative_to(root)) for root in self._roots() for f in sorted(root.glob("audio/*.*"))]

    def _start(self, table: Table, usual: Anchor) -> Start:
        start = table.table("start", "`start`")
        if start is None:
            return Start(usual)
        names = [anchor.value for anchor in Anchor]
        after = start.text("after")
        if after is not None and after not in names:
            start.add("after", f'no anchor "{after}"{suggest(after, names)}')
            after = None
        delay_ms = start.ms("delay_ms")
        start.finish()
        return Start(
            Anchor(after) if after else usual,
            DEFAULT_DELAY_MS if delay_ms is None else delay_ms,
        )

    def _turn_expect(self, table: Table, start: Start, is_noise: bool, is_switch: bool) -> TurnExpect:
        expect = table.table("expect", "`expect` of a turn")
        if expect is None:
            return TurnExpect()
        found = TurnExpect(
            respond_within_ms=expect.ms("respond_within_ms"),
            heard=self._pattern(expect, "heard"),
            agent=expect.text("agent"),
            stop_within_ms=expect.ms("stop_within_ms"),
            truncate_error_ms=expect.ms("truncate_error_ms"),
            unheard_in_context=expect.boolean("unheard_in_context"),
            ignore=expect.boolean("ignore") or False,
        )
        self._agent_exists(expect, "agent", found.agent)
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

    def _call_expect(self) -> CallExpect:
        expect = self.table.table("expect", "[expect]")
        if expect is None:
            return CallExpect()
        handoffs = expect.texts("handoffs")
        for agent in handoffs or ():
            self._agent_exists(expect, "handoffs", agent)
        tools = None
        if "tools" in expect:
            tools = tuple(self._tool(table) for table in expect.tables("tools", "an expected tool"))
        said = tuple(self._said(table) for table in expect.tables("transcript", "an expected transcript"))
        ended = self._pattern(expect, "ended")
        effects = None
        if "effects" in expect:
            effects = tuple(self._effect(table) for table in expect.tables("effects", "an expected effect"))
        expect.later("guardrail")
        expect.finish()
        return CallExpect(handoffs=handoffs, tools=tools, effects=effects, transcript=said, ended=ended)

    def _effect(self, table: Table) -> EffectExpect:
        tool, times = table.text("tool"), table.integer("count")
        for key in ("tool", "count"):
            if key not in table:
                table.add(None, "an expected effect has a `tool` and a `count`, how often it was done")
                break
        table.finish()
        return EffectExpect(tool or "", times or 0)

    def _tool(self, table: Table) -> ToolExpect:
        name = table.text("name")
        if name is None and "name" not in table:
            table.add(None, "an expected tool has a `name`")
        elif name is not None and name.startswith("transfer_to_"):
            table.add("name", f'"{name}" is a handoff, not a tool: name its agent in `handoffs`')
        args = table.mapping("args") or {}
        table.later("dead_air_ms")
        table.finish()
        return ToolExpect(name or "", args)

    def _said(self, table: Table) -> TranscriptExpect:
        who = table.text("who")
        if who not in ("agent", "caller"):
            table.add("who", f'`who` is "agent" or "caller"{"" if who is None else f", not {who!r}"}')
        like, never = self._pattern(table, "like"), self._pattern(table, "never")
        if ("like" in table) == ("never" in table):
            table.add(None, "an expected transcript has either `like` or `never`")
        table.finish()
        return TranscriptExpect(who or "", like, never)

    def _budget(self) -> Budget:
        budget = self.table.table("budget", "[budget]")
        if budget is None:
            return Budget()
        found = Budget(
            bridge_added_p95_ms=budget.number("bridge_added_p95_ms"),
            underruns=budget.integer("underruns"),
            protocol_errors=budget.integer("protocol_errors"),
            leaked_tasks=budget.integer("leaked_tasks"),
            delivered_pct=budget.number("delivered_pct"),
        )
        if (found.delivered_pct or 0) > 100:
            budget.add("delivered_pct", "`delivered_pct` is a share of the caller's audio: at most 100")
        budget.finish()
        return found

    def _pattern(self, table: Table, key: str) -> str | None:
        pattern = table.text(key)
        try:
            re.compile(pattern or "")
        except re.error as error:
            table.add(key, f"`{key}` is not a regular expression: {error}")
            return None
        return pattern
