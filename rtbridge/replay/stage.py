"""The stage on which stories are played: a process with its scenarios, and on the virtual road its engine, loaded once.

A stage plays one story after another and never raises for what one of them does. Several stages, each in a process of
its own, play side by side (crew.py).
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rtbridge.agents.mcp_thread import McpThread
from rtbridge.agents.scenario import Scenario, load_scenarios
from rtbridge.engine.load import load_parts
from rtbridge.engine.parts import EngineParts
from rtbridge.errors import ReplayError, RtbridgeError
from rtbridge.replay import golden
from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.outcome import Job, Outcome, outcome_of
from rtbridge.replay.read_story import Graphs, load_story
from rtbridge.replay.report import Report, artifacts, write_call
from rtbridge.replay.report_page import write_page
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.replay.story import Story
from rtbridge.replay.wire import play_on_wire
from rtbridge.replay.witnesses import witnessed
from rtbridge.settings import Settings

COMPARED: Final = ("call.wav", "events.jsonl", "turns.json")


@dataclass(frozen=True, slots=True)
class Road:
    """How stories are played: all that a worker needs to know."""

    settings: Settings
    root: Path  # of the scenarios
    scenarios: frozenset[str]  # those that the stories play in
    wire: str | None = None  # URL of a running bridge; None is the virtual road
    update: bool = False  # golden journals are written, not compared


class Stage:
    """A context manager: inside it stories can be played. Entering loads what the road needs, and may take seconds."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._stack = ExitStack()
        self._scenarios: Mapping[str, Scenario] = {}
        self._parts: EngineParts | None = None

    def __enter__(self) -> Self:
        """Raises RtbridgeError when something of it cannot be loaded."""
        road, settings = self._road, self._road.settings
        if road.wire is not None:
            return self
        self._scenarios = load_scenarios(road.root, tool_timeout_s=settings.tool_timeout_s)
        self._parts = load_parts(
            brains=road.root, model_dir=settings.model_dir, moderation_words=settings.moderation_words
        )
        servers = (self._scenarios[name].mcp for name in sorted(road.scenarios & self._scenarios.keys()))
        self._stack.enter_context(McpThread(servers, connect_timeout_s=settings.mcp_connect_timeout_s))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def play(self, job: Job) -> Outcome:
        """Play one story, judge it and write its artifacts. KeyboardInterrupt passes. Raises OSError for the folder."""
        voice = CallerVoice.among(self._scenarios.values(), self._road.settings.model_dir)
        story = load_story(job.file, self._graphs(), voice)
        began_s = time.monotonic()
        try:
            result = self._play(story)
        except ReplayError as error:
            if error.__cause__ is not None and not isinstance(error.__cause__, RtbridgeError | OSError):
                traceback.print_exception(error.__cause__)
            line = f"BROKE {story.name}\n      {story.file}: {error}"
            return Outcome(job, story.name, story.scenario, line, broke=str(error))
        seen = look(result)
        verdict = golden.compared(
            witnessed(judge(result, seen), result, seen), result, update=self._road.update
        )
        report = Report(result, seen, verdict)
        made = artifacts(report)
        outcome = outcome_of(
            report, job, {name: made[name] for name in COMPARED}, began_s, ended_s=time.monotonic()
        )
        if outcome.report is not None:
            write_call(report, outcome.report.parent, made)
            write_page(report, outcome.report)
        return outcome

    def _graphs(self) -> Graphs | None:
        if self._road.wire is not None:
            return None  # over the wire the bridge knows its scenarios, and says so
        return {name: tuple(scenario.agents) for name, scenario in self._scenarios.items()}

    def _play(self, story: Story) -> RunResult:
        settings = self._road.settings
        if self._road.wire is not None:
            key = settings.api_keys[0].get_secret_value() if settings.api_keys else ""
            return asyncio.run(play_on_wire(story, url=self._road.wire, api_key=key))
        assert self._parts is not None, "a stage is entered first"
        return play(story, scenario=self._scenarios[story.scenario], parts=self._parts, settings=settings)
