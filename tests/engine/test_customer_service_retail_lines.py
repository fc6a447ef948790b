"""The offline lines of customer_service_retail: understood as meant, and a refused handoff changes nobody's place."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import speech_rig
from brain_rig import Talk, tool
from rtbridge.engine.brain import Brain
from rtbridge.engine.brain_file import BrainFile, load_brain_file
from rtbridge.engine.dialog import Memory
from rtbridge.engine.lines import fill

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scenarios" / "customer_service_retail"
PARAPHRASES = Path(__file__).parent / "paraphrases" / "customer_service_retail.toml"
CASES = tomllib.loads(PARAPHRASES.read_text("utf-8"))["case"]
ANY: dict[str, Any] = {"type": "object"}


@pytest.fixture(scope="module")
def lines() -> BrainFile:
    return load_brain_file(FOLDER / "brain.toml")


@pytest.fixture(scope="module")
def brain(lines: BrainFile) -> Brain:
    return Brain({"customer_service_retail": lines}, speech_rig.meaning())


def understood(brain: Brain, agent: str, state: str, text: str) -> str:
    scenario, _ = brain.find(f"customer_service_retail/{agent}")
    assert scenario is not None
    return scenario.dialogs[agent].hear(Memory(state), text).intent or "lost"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['agent']}-{case['state']}-{case['intent']}")
def test_85_percent_of_unseen_wordings_are_understood_by_the_shop(
    brain: Brain, lines: BrainFile, case: dict[str, str | list[str]]
) -> None:
    agent, state = str(case["agent"]), str(case["state"])
    examples = {example.lower().strip(".!?") for i in lines.agents[agent].intents for example in i.examples}
    said = [text for text in case["say"] if text.lower().strip(".!?") not in examples]
    wrong = {
        text: found for text in said if (found := understood(brain, agent, state, text)) != case["intent"]
    }
    assert len(case["say"]) >= 8
    assert 1 - len(wrong) / len(said) >= 0.85, wrong


def test_every_intent_that_is_matched_by_meaning_has_paraphrases(lines: BrainFile) -> None:
    tested = {case["intent"] for case in CASES}
    meant = {intent.name for agent in lines.agents.values() for intent in agent.intents if intent.examples}
    assert meant <= tested


def test_a_refused_handoff_leaves_the_agent_that_asked_for_it(brain: Brain) -> None:
    update = "update_user_offer_response"
    tools = {"authentication": [tool(update, ANY), tool("transfer_to_returns")]}
    no = {"error": {"type": "refused", "message": "Not yet."}}
    talk = Talk(brain, "customer_service_retail", "authentication", tools)
    talk.items += [
        {"type": "function_call", "name": "transfer_to_returns", "call_id": "c", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": json.dumps(no)},
    ]
    (said,) = talk.respond()
    assert said.startswith("Ah, we are not quite done")
    assert "ten digits" in talk.hear("What is the capital of France?")[0]


def test_a_date_is_said_in_words() -> None:
    assert fill("{day|date}", {"day": "2024-09-16"}) == "September 16, 2024"
    assert fill("{day|date}", {"day": "soon"}) == "soon"
