"""The smallest scenario that is shipped: two agents, one handoff."""

from __future__ import annotations

import re

import pytest

from rtbridge.agents.scenario import (
    Scenario,
    default_root,
    load_scenario,
)


@pytest.fixture(scope="module")
def simple_handoff() -> Scenario:
    return load_scenario(default_root() / "simple_handoff")


def test_simple_handoff_has_its_two_agents(simple_handoff: Scenario) -> None:
    assert simple_handoff.id == "simple_handoff"
    assert simple_handoff.start == "greeter"
    assert list(simple_handoff.agents) == ["greeter", "haikuWriter"]
    assert simple_handoff.handoffs == {"transfer_to_haikuWriter": "haikuWriter"}
    assert simple_handoff.company is None
    assert simple_handoff.voice == "sage"


def test_simple_handoff_tells_its_agents_how_to_speak(simple_handoff: Scenario) -> None:
    for agent in simple_handoff.agents.values():
        assert isinstance(agent.instructions, str)
        sections = re.findall(r"^# (.+)$", agent.instructions, re.MULTILINE)
        assert sections == [
            "Identity",
            "Task",
            "Demeanor",
            "Tone",
            "Enthusiasm",
            "Formality",
            "Pacing",
            "Instructions",
        ]
    assert "transfer_to_haikuWriter" in str(simple_handoff.agents["greeter"].instructions)
