"""NewTelco's supervisor thinking with the engine's lines: in process, and over HTTP by the stock Responses client."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from agents.models.interface import Model
from agents.models.openai_responses import OpenAIResponsesModel
from openai import AsyncOpenAI

import speech_rig
from rtbridge.agents.context import CallContext, Said
from rtbridge.agents.local_text import LocalTextModel
from rtbridge.agents.scenario import default_root, load_scenario
from rtbridge.agents.supervisor import Supervisor
from rtbridge.core.journal import Entry, ToolStarted
from rtbridge.engine.brain import Brain
from rtbridge.engine.brain_file import load_brain_file
from rtbridge.engine.foreign import Foreigner
from rtbridge.engine.server import serving
from rtbridge.engine.text_model import BrainText
from scripted_engine import scripted

FOLDER = default_root() / "chat_supervisor"
STORY: list[Said] = [
    ("chatAgent", "Hi, you've reached NewTelco, how can I help you?"),
    ("user", "Why was my last bill so high?"),
    ("chatAgent", "I can look at that with you. What is your phone number, with area code?"),
    ("user", "206 135 1246"),
]
BILL = "Wants to know why the last bill was so high. Phone number: (206) 135-1246."


@pytest.fixture(scope="module")
def text() -> BrainText:
    meaning = speech_rig.meaning()
    return BrainText(
        Brain({"chat_supervisor": load_brain_file(FOLDER / "brain.toml")}, meaning), Foreigner(meaning)
    )


@pytest.fixture(scope="module")
def supervisor() -> Supervisor:
    load_scenario(FOLDER)
    entry = str(FOLDER / "agents.py")
    module: Any = next(one for one in list(sys.modules.values()) if getattr(one, "__file__", None) == entry)
    found: Supervisor = module.supervisorAgent
    return found


async def ask(
    supervisor: Supervisor, find: Callable[[str], Model], heard: list[Said], relevant: str
) -> tuple[dict[str, str], list[tuple[str, Any]]]:
    notes: list[Entry] = []
    context = CallContext(
        "chat_supervisor",
        "chatAgent",
        transcript=lambda: heard,
        text_model=find,
        note=notes.append,
        supervisor_timeout_s=60.0,  # what is asked is what is answered, not how fast a busy machine is
    )
    answer = await supervisor.next_response(context, relevant, "call_1")
    calls = [(note.name, json.loads(note.arguments)) for note in notes if isinstance(note, ToolStarted)]
    return answer, calls


async def test_the_high_bill_is_looked_up_by_its_number_and_explained(
    supervisor: Supervisor, text: BrainText
) -> None:
    answer, calls = await ask(supervisor, lambda name: LocalTextModel(text, name), STORY, BILL)
    assert calls == [("getUserAccountInfo", {"phone_number": "(206) 135-1246"})]
    assert "$8.00 for international calls" in answer["nextResponse"]
    assert "$4.00 for data overage" in answer["nextResponse"]


async def test_over_http_the_stock_responses_client_gets_the_same_answer(
    supervisor: Supervisor, text: BrainText
) -> None:
    parts = dataclasses.replace(scripted(), text=text)
    local = await ask(supervisor, lambda name: LocalTextModel(text, name), STORY, BILL)
    async with (
        serving(parts) as engine,
        AsyncOpenAI(api_key="any", base_url=f"http://127.0.0.1:{engine.port}/v1") as client,
    ):
        answered = await ask(supervisor, lambda name: OpenAIResponsesModel(name, client), STORY, BILL)
    assert answered == local


@pytest.mark.parametrize(
    ("relevant", "tool", "arguments", "told"),
    [
        ("Asks about the family plan.", "lookupPolicyDocument", {"topic": "family plan"}, "[Family Plan](ID-010)"),
        (
            "Asks about promotions and discounts.", "lookupPolicyDocument", {"topic": "promotions and discounts"},
            "[Promotions and Discounts](ID-020)",
        ),
        (
            "Asks about international plans.", "lookupPolicyDocument", {"topic": "international plans"},
            "[International Plans](ID-030)",
        ),
        ("Asks about handset offers.", "lookupPolicyDocument", {"topic": "handset offers"}, "[Handset Offers](ID-040)"),
        ("Looks for the nearest store. Zip code: 02199.", "findNearestStore", {"zip_code": "02199"}, "Boston Back Bay"),
        (
            "Asks about the account: its plan, balance and payments. Phone number: (206) 135-1264.",
            "getUserAccountInfo", {"phone_number": "(206) 135-1264"}, "can't find an account",
        ),
    ],
)  # fmt: skip
async def test_each_question_goes_to_its_tool_and_a_policy_is_cited(
    supervisor: Supervisor, text: BrainText, relevant: str, tool: str, arguments: dict[str, str], told: str
) -> None:
    said = [("user", relevant)]
    answer, calls = await ask(supervisor, lambda name: LocalTextModel(text, name), said, relevant)
    assert calls == [(tool, arguments)]
    assert told in answer["nextResponse"]


@pytest.mark.parametrize(
    ("relevant", "told"),
    [
        ("Wants to know why the last bill was so high.", "phone number"),
        ("Looks for the nearest store.", "zip code"),
        ("Wants to know about plans.", "family plans, promotions"),
        ("Asks to speak with a person.", "stores"),
    ],
)
async def test_what_is_missing_is_asked_for_and_no_tool_is_called(
    supervisor: Supervisor, text: BrainText, relevant: str, told: str
) -> None:
    answer, calls = await ask(supervisor, lambda name: LocalTextModel(text, name), [], relevant)
    assert calls == []
    assert told in answer["nextResponse"]


async def test_refusals_vary(supervisor: Supervisor, text: BrainText) -> None:
    asked = "Brings up something that is not about the service: "
    heard: list[Said] = []
    said = []
    for question in ("Who should I vote for?", "Is there a god?", "Should I buy stocks?"):
        heard.append(("user", question))
        answer, calls = await ask(
            supervisor, lambda name: LocalTextModel(text, name), heard, asked + question
        )
        assert calls == []
        said.append(answer["nextResponse"])
        heard.append(("chatAgent", said[-1]))
    assert len(set(said)) == 3
