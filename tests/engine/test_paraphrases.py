"""What callers mean in words that nobody wrote down: of every intent of every brain file, the template's too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import speech_rig
from brain_rig import Case, cases, misunderstood
from rtbridge.agents.scaffold import TEMPLATE
from rtbridge.agents.scenario import default_root
from rtbridge.engine.brain import Brain
from rtbridge.engine.brain_file import BrainFile, load_brain_file

FOLDERS: dict[str, Path] = {
    **{one.parent.name: one.parent for one in sorted(default_root().glob("*/brain.toml"))},
    "template": TEMPLATE,
}
CASES = [case for scenario in FOLDERS for case in cases(scenario)]

pytestmark = pytest.mark.no_cover


@pytest.fixture(scope="module")
def lines() -> dict[str, BrainFile]:
    return {name: load_brain_file(folder / "brain.toml") for name, folder in FOLDERS.items()}


@pytest.fixture(scope="module")
def brain(lines: dict[str, BrainFile]) -> Brain:
    return Brain(lines, speech_rig.meaning())


Judge = Callable[[Case], tuple[float, dict[str, str]]]


@pytest.fixture(scope="module")
def judge(brain: Brain, lines: dict[str, BrainFile]) -> Judge:
    """Give `misunderstood`, which thinks about each case once."""
    known: dict[str, tuple[float, dict[str, str]]] = {}

    def once(case: Case) -> tuple[float, dict[str, str]]:
        if str(case) not in known:
            known[str(case)] = misunderstood(brain, lines[case.scenario], case)
        return known[str(case)]

    assert len({str(case) for case in CASES}) == len(CASES)
    return once


@pytest.mark.parametrize("case", CASES, ids=str)
def test_85_percent_of_unseen_wordings_are_understood(judge: Judge, case: Case) -> None:
    assert len(case.say) >= 8
    share, wrong = judge(case)
    assert share <= 0.15, wrong


@pytest.mark.parametrize("scenario", FOLDERS)
def test_every_intent_of_every_agent_has_wordings_that_its_lines_do_not_hold(
    lines: dict[str, BrainFile], scenario: str
) -> None:
    tested = {(case.agent, case.intent) for case in CASES if case.scenario == scenario}
    there = {(agent.name, one.name) for agent in lines[scenario].agents.values() for one in agent.intents}
    assert there - tested == set()


def test_95_percent_of_all_unseen_wordings_are_understood(judge: Judge) -> None:
    wrong = {text: found for case in CASES for text, found in judge(case)[1].items()}
    assert len(wrong) / sum(len(case.say) for case in CASES) <= 0.05, wrong
