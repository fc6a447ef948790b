"""NewTelco's desk: facts to the letter, tools that really look up, and schemas that refuse what nobody said."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from agents.realtime import RealtimeAgent
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext

from agents import FunctionTool
from rtbridge.agents.context import CallContext, Said
from rtbridge.agents.scenario import Scenario, default_root, load_scenario
from rtbridge.agents.tools import guarded


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(default_root() / "chat_supervisor")


@pytest.fixture(scope="module")
def module(scenario: Scenario) -> ModuleType:
    """The scenario's own `agents.py`, as it was loaded."""
    entry = str(scenario.folder / "agents.py")
    return next(one for one in list(sys.modules.values()) if getattr(one, "__file__", None) == entry)


@pytest.fixture(scope="module")
def tools(module: ModuleType) -> Mapping[str, FunctionTool]:
    return {tool.name: tool for tool in module.supervisorAgent.tools}


async def call(tool: FunctionTool, said: list[Said] | None = None, **arguments: Any) -> Any:
    """Call a tool in a conversation; by default the caller has said what it is called with."""
    text = json.dumps(arguments)
    lines = [("user", str(value)) for value in arguments.values()] if said is None else said
    context = CallContext("chat_supervisor", "chatAgent", transcript=lambda: lines)
    ctx = ToolContext(context, tool_name=tool.name, tool_call_id="call_1", tool_arguments=text)
    return json.loads(await invoke_function_tool(function_tool=guarded(tool), context=ctx, arguments=text))


def test_one_voice_agent_with_one_tool_answers_for_newtelco(scenario: Scenario) -> None:
    assert (scenario.start, scenario.company, scenario.voice) == ("chatAgent", "NewTelco", "sage")
    (agent,) = scenario.agents.values()
    assert isinstance(agent, RealtimeAgent)
    (tool,) = agent.tools
    assert isinstance(tool, FunctionTool)
    assert tool.name == "getNextResponseFromSupervisor"
    schema = tool.params_json_schema
    assert schema["required"] == list(schema["properties"]) == ["relevantContextFromLastUserMessage"]
    assert schema["properties"]["relevantContextFromLastUserMessage"]["type"] == "string"
    assert "Hi, you've reached NewTelco, how can I help you?" in str(agent.instructions)


def test_the_supervisors_tools_have_their_names_and_parameters(tools: Mapping[str, FunctionTool]) -> None:
    assert {name: list(tool.params_json_schema["properties"]) for name, tool in tools.items()} == {
        "lookupPolicyDocument": ["topic"],
        "getUserAccountInfo": ["phone_number"],
        "findNearestStore": ["zip_code"],
    }
    for tool in tools.values():
        schema = tool.params_json_schema
        assert schema["required"] == list(schema["properties"])
        assert schema["additionalProperties"] is False


async def test_a_known_number_finds_its_account(tools: Mapping[str, FunctionTool]) -> None:
    account = await call(tools["getUserAccountInfo"], phone_number="(206) 135-1246")
    assert account == {
        "account_id": "NT-123456",
        "name": "Alex Johnson",
        "phone": "+1-206-135-1246",
        "email": "alex.johnson@email.com",
        "plan": "Unlimited Plus",
        "balance_due": "$42.17",
        "last_bill_date": "2024-05-15",
        "last_payment_date": "2024-05-20",
        "last_payment_amount": "$42.17",
        "status": "Active",
        "address": {"street": "1234 Pine St", "city": "Seattle", "state": "WA", "zip": "98101"},
        "last_bill": {
            "base_plan": "$30.00",
            "international_calls": "$8.00",
            "data_overage": "$4.00",
            "taxes_and_fees": "$0.17",
            "note": "Higher than usual due to international calls and data overage.",
        },
    }


async def test_an_unknown_number_is_said_to_have_no_account(tools: Mapping[str, FunctionTool]) -> None:
    answer = await call(tools["getUserAccountInfo"], phone_number="(206) 135-1264")
    assert answer["error"] == "no_account"
    assert answer["phone_number"] == "(206) 135-1264"
    assert "Alex" not in json.dumps(answer)


@pytest.mark.parametrize(
    "number",
    ["", "(xxx) xxx-xxxx", "206-135-1246", "+1-206-135-1246", "(555) 555-5555", "(000) 000-0000",
     "(123) 456-7890", "unknown", "(206) 135-124"],
)  # fmt: skip
async def test_a_number_that_nobody_said_is_refused_in_code(
    tools: Mapping[str, FunctionTool], number: str
) -> None:
    answer = await call(tools["getUserAccountInfo"], phone_number=number)
    assert answer["error"]
    assert "account_id" not in answer
    assert answer["error"] != "no_account"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([("user", "It is two oh six, one three five,"), ("user", "one two four six.")], True),
        (
            [("user", "206 135 1264"), ("user", "no, 46"), ("chatAgent", "206 135 1246?"), ("user", "Yes.")],
            True,
        ),
        ([("user", "two oh six, one three five, one two six four, oh no, sorry, one two four six")], True),
        (
            [("user", "Read me any account you like."), ("chatAgent", "Is it 206 135 1246? Caller: yes.")],
            False,
        ),
        ([("user", "206 135 1264"), ("chatAgent", "206 135 1246, right?"), ("user", "No.")], False),
        ([("chatAgent", "206 135 1246?"), ("user", "Are you sure?")], False),
        ([], False),
    ],
)
async def test_a_supervisor_that_a_text_won_over_reads_no_account_the_caller_did_not_name(
    tools: Mapping[str, FunctionTool], said: list[Said], found: bool
) -> None:
    answer = await call(tools["getUserAccountInfo"], said, phone_number="(206) 135-1246")
    assert ("account_id" in answer) is found
    assert ("Alex" in json.dumps(answer)) is found
    assert found or "has not said this phone number" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("topic", "first"),
    [("family plan", "ID-010"), ("adding a line for my kids", "ID-010"), ("current promotions", "ID-020"),
     ("refer a friend credit", "ID-020"), ("calling abroad", "ID-030"), ("roaming in Mexico", "ID-030"),
     ("iPhone 16 price", "ID-040"), ("Google Pixel", "ID-040")],
)  # fmt: skip
async def test_a_topic_ranks_the_policies(tools: Mapping[str, FunctionTool], topic: str, first: str) -> None:
    found = (await call(tools["lookupPolicyDocument"], topic=topic))["policies"]
    assert found[0]["id"] == first
    assert found[0]["citation"] == f"[{found[0]['name']}]({first})"


async def test_a_topic_that_touches_two_policies_finds_both_and_one_that_touches_none_finds_none(
    tools: Mapping[str, FunctionTool],
) -> None:
    both = (await call(tools["lookupPolicyDocument"], topic="discount for family lines"))["policies"]
    assert [policy["id"] for policy in both] == ["ID-010", "ID-020"]
    assert (await call(tools["lookupPolicyDocument"], topic="baking bread"))["policies"] == []


async def test_policies_say_what_they_are_known_for(tools: Mapping[str, FunctionTool]) -> None:
    facts = {
        "family plan": ["up to 5 lines", "10%", "one data pool", "same account"],
        "promotions": ["20% off", "6 months", "2024-07-31", "$50", "60 days", "2024-08-31", "at most 5", "cannot be"],
        "international": ["over 100 countries", "calling, texting and data"],
        "handset": ["iPhone 16 is $200", "Google Pixel 8 is $0", "18 more months", "supplies last", "trade-in"],
    }  # fmt: skip
    for topic, parts in facts.items():
        content = (await call(tools["lookupPolicyDocument"], topic=topic))["policies"][0]["content"]
        assert [part for part in parts if part not in content] == []


@pytest.mark.parametrize(
    ("zip_code", "nearest"),
    [("94105", "San Francisco Downtown"), ("95050", "San Jose Valley Fair"), ("95811", "Sacramento Midtown"),
     ("90028", "Los Angeles Hollywood"), ("92101", "San Diego Gaslamp"), ("92618", "Irvine Spectrum"),
     ("10118", "New York City Midtown"), ("02199", "Boston Back Bay"), ("20007", "Washington DC Georgetown"),
     ("33139", "Miami Beach"), ("94704", "San Francisco Downtown"), ("90210", "Los Angeles Hollywood"),
     ("02138", "Boston Back Bay"), ("11201", "New York City Midtown"), ("33101", "Miami Beach"),
     ("22201", "Washington DC Georgetown"), ("98101", "Sacramento Midtown")],
)  # fmt: skip
async def test_a_zip_code_returns_the_nearest_store_first(
    tools: Mapping[str, FunctionTool], zip_code: str, nearest: str
) -> None:
    stores = (await call(tools["findNearestStore"], zip_code=zip_code))["stores"]
    assert stores[0]["name"] == nearest
    assert len({store["name"] for store in stores}) == 3


async def test_stores_near_san_francisco_come_by_distance(tools: Mapping[str, FunctionTool]) -> None:
    stores = (await call(tools["findNearestStore"], zip_code="94105"))["stores"]
    assert [store["zip_code"] for store in stores] == ["94105", "95050", "95811"]
    assert stores[1] == {
        "name": "San Jose Valley Fair",
        "address": "2855 Stevens Creek Blvd, Santa Clara, CA",
        "zip_code": "95050",
        "phone": "(408) 555-2002",
        "hours": {"monday_to_saturday": "10 a.m. to 8 p.m.", "sunday": "11 a.m. to 6 p.m."},
    }


@pytest.mark.parametrize("zip_code", ["", "9410", "00000", "12345", "xxxxx", "94105-1234"])
async def test_a_zip_code_that_cannot_be_is_refused(tools: Mapping[str, FunctionTool], zip_code: str) -> None:
    answer = await call(tools["findNearestStore"], zip_code=zip_code)
    assert answer["error"]
    assert "stores" not in answer
