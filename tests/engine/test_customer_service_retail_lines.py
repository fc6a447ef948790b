"""The offline lines of customer_service_retail: understood as meant, and a refused handoff changes nobody's place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import speech_rig
from brain_rig import Talk, tool
from rtbridge.engine.brain import Brain
from rtbridge.engine.brain_file import BrainFile, load_brain_file
from rtbridge.engine.lines import fill

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scenarios" / "customer_service_retail"
SCENARIO = "customer_service_retail"
ANY: dict[str, Any] = {"type": "object"}


@pytest.fixture(scope="module")
def lines() -> BrainFile:
    return load_brain_file(FOLDER / "brain.toml")


@pytest.fixture(scope="module")
def brain(lines: BrainFile) -> Brain:
    return Brain({"customer_service_retail": lines}, speech_rig.meaning())


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


AT_THE_ADDRESS = (
    "I want to return my snowboard", "Robert", "206 555 0123", "yes", "May 1st 1990", "yes", "my card", "4321", "yes",
    "12 Hill Street", "Seattle", "Oregon", "98101",
)  # fmt: skip


@pytest.fixture
def at_the_address(brain: Brain) -> Talk:
    """Return a conversation in which the address, with a wrong state, has just been read back."""
    names = ("authenticate_user_information", "save_or_update_address")
    tools = {"authentication": [tool(name, ANY) for name in names]}
    talk = Talk(brain, SCENARIO, "authentication", tools, {name: {"success": True} for name in names})
    talk.respond()
    for said in AT_THE_ADDRESS:
        answer = talk.hear(said)
    assert "12 Hill Street, seattle, oregon, nine eight one zero one" in answer[-1]
    return talk


@pytest.mark.parametrize(
    "said",
    [("No.", "The state."), ("No, the state is wrong.",), ("No, it's Washington.",)],
)
def test_a_wrong_state_is_put_right_and_the_whole_address_is_read_back_again(
    at_the_address: Talk, said: tuple[str, ...]
) -> None:
    for line in said:
        answer = at_the_address.hear(line)
    assert "state" in answer[-1].lower()
    at_the_address.hear("Washington.")
    (read_back,) = at_the_address.hear("98101")
    assert "12 Hill Street, seattle, washington, nine eight one zero one" in read_back
    at_the_address.hear("Yes, that's right.")
    saved = json.loads(at_the_address.calls[-1].arguments_json)
    assert saved["new_address"] == {
        "street": "12 Hill Street", "city": "seattle", "state": "washington", "postal_code": "98101"
    }  # fmt: skip


def test_an_address_that_is_not_right_is_not_saved(at_the_address: Talk) -> None:
    for said in ("No.", "What's the weather like?", "The street is wrong."):
        assert at_the_address.hear(said)
    assert [call.name for call in at_the_address.calls] == ["authenticate_user_information"]


def test_a_date_is_said_in_words() -> None:
    assert fill("{day|date}", {"day": "2024-09-16"}) == "September 16, 2024"
    assert fill("{day|date}", {"day": "soon"}) == "soon"
