"""The stories that ship, on the real engine: they pass, they are the same every time, and they are cheap."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import ACCEPT
from rtbridge.agents.scenario import Scenario, default_root, load_scenarios
from rtbridge.engine.load import load_parts
from rtbridge.engine.parts import EngineParts
from rtbridge.replay.checks import judge
from rtbridge.replay.evidence import look
from rtbridge.replay.read_story import load_story
from rtbridge.replay.report import Report, write_call
from rtbridge.replay.result import RunResult
from rtbridge.replay.run import play
from rtbridge.settings import Settings

pytestmark = pytest.mark.models

STORIES = [
    file
    for scenario in ("simple_handoff", "chat_supervisor", "customer_service_retail")
    for file in sorted(default_root().glob(f"{scenario}/stories/*.toml"))
]
TWO_MINUTES = default_root() / "simple_handoff" / "stories" / "two_minutes.toml"
HAIKU = default_root() / "simple_handoff" / "stories" / "haiku.toml"


@pytest.fixture(scope="module")
def scenarios() -> Mapping[str, Scenario]:
    return load_scenarios(default_root())


@pytest.fixture(scope="module")
def parts() -> EngineParts:
    """The engine with everything loaded: what it goes on loading in a thread of its own is waited for."""
    loaded = load_parts(brains=default_root())
    for thread in threading.enumerate():
        if thread.name == "rtbridge-meaning":
            thread.join()
    return loaded


def run(file: Path, scenarios: Mapping[str, Scenario], parts: EngineParts) -> RunResult:
    story = load_story(file, {name: tuple(scenario.agents) for name, scenario in scenarios.items()})
    return play(story, scenario=scenarios[story.scenario], parts=parts, settings=Settings())


def report(result: RunResult) -> Report:
    seen = look(result)
    return Report(result, seen, judge(result, seen))


def written(result: RunResult, folder: Path) -> dict[str, bytes]:
    write_call(report(result), folder)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    "file", [file for file in STORIES if file != TWO_MINUTES], ids=lambda file: file.stem
)
def test_every_story_that_ships_passes(
    file: Path, scenarios: Mapping[str, Scenario], parts: EngineParts
) -> None:
    assert [str(failure) for failure in report(run(file, scenarios, parts)).verdict.failures] == []


def test_a_call_of_two_minutes_passes_is_the_same_every_time_and_costs_under_10_s_of_cpu(
    tmp_path: Path,
    scenarios: Mapping[str, Scenario],
    parts: EngineParts,
    count: Callable[[int, int], int],
    keep_figures: Callable[[str, dict[str, Any]], None],
) -> None:
    run(HAIKU, scenarios, parts)  # the models' own first calls
    spent_s: list[float] = []
    runs: list[dict[str, bytes]] = []
    for n in range(count(3, 20)):
        began_s = time.process_time()
        result = run(TWO_MINUTES, scenarios, parts)
        spent_s.append(time.process_time() - began_s)
        if n == 0:
            assert [str(failure) for failure in report(result).verdict.failures] == []
            assert result.duration_ms >= 120_000
        runs.append(written(result, tmp_path / str(n)))
    differing = [name for run_ in runs for name in run_ if run_[name] != runs[0][name]]
    assert differing == []
    assert set(runs[0]) == {"call.wav", "events.jsonl", "labels.txt", "turns.json"}
    figures = {"runs": len(runs), "cpu_s": [round(s, 2) for s in spent_s], "duration_ms": result.duration_ms}
    print(figures)
    keep_figures("replay_two_minutes", figures)
    if ACCEPT:
        assert max(spent_s) < 10


def test_a_wrong_expectation_fails_with_the_turn_the_wish_and_what_was_heard(
    tmp_path: Path, scenarios: Mapping[str, Scenario], parts: EngineParts
) -> None:
    (tmp_path / "stories").mkdir()
    shutil.copytree(HAIKU.parent.parent / "audio", tmp_path / "audio")
    file = tmp_path / "stories" / "wrong_expectation.toml"
    text = HAIKU.read_text()
    assert text.count('heard = "goodbye"') == 1
    file.write_text(text.replace('heard = "goodbye"', 'heard = "see you in court"'))
    (failure,) = report(run(file, scenarios, parts)).verdict.failures
    assert str(failure).startswith('turn "enough": expected to hear /see you in court/; heard "Goodbye')
    assert " from haikuWriter at " in str(failure)
