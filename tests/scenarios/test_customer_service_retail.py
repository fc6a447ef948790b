"""Snowy Peak Boards: its facts and its gates."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agents import FunctionTool
from retail_rig import (
    ADDRESS,
    CHECK,
    FOLDER,
    HEARD,
    IDENTITY,
    OFFER,
    PHONE,
    SAVE,
    Desk,
)
from rtbridge.agents.effects import declared
from rtbridge.agents.scenario import Scenario, check, load_scenario
from rtbridge.core.asks import ConfigureSession
from sdk_rig import function_call, sdk


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(FOLDER)


@pytest.fixture
def desk(scenario: Scenario) -> Desk:
    return Desk(scenario, *HEARD)


# -- facts -------------------------------------------------------------------------------------------------------
def test_the_scenario_is_complete_and_every_agent_reaches_every_other(scenario: Scenario) -> None:
    assert check(scenario) == []
    assert (scenario.start, scenario.company) == ("authentication", "Snowy Peak Boards")
    assert list(scenario.agents) == ["authentication", "returns", "salesAgent", "simulatedHuman"]
    for name, agent in scenario.agents.items():
        reached = {getattr(handoff, "agent_name", None) or handoff.name for handoff in agent.handoffs}  # type: ignore[union-attr]
        assert reached == set(scenario.agents) - {name}
    assert set(scenario.handoffs) == {f"transfer_to_{name}" for name in scenario.agents}


def test_tools_and_schemas_are_those_of_the_wire(scenario: Scenario) -> None:
    schemas = {tool.name: tool.params_json_schema for a in scenario.agents.values() for tool in a.tools}  # type: ignore[union-attr]
    tools = {name: list(schema["properties"]) for name, schema in schemas.items()}
    assert tools == {
        "authenticate_user_information": [
            "phone_number",
            "date_of_birth",
            "last_4_digits",
            "last_4_digits_type",
        ],
        "save_or_update_address": ["phone_number", "new_address"],
        "update_user_offer_response": ["phone", "offer_id", "user_response"],
        "lookupOrders": ["phoneNumber"],
        "retrievePolicy": ["region", "itemCategory"],
        "checkEligibilityAndPossiblyInitiateReturn": ["userDesiredAction", "question"],
        "lookupNewSales": ["category"],
        "addToCart": ["item_id"],
        "checkout": ["item_ids", "phone_number"],
    }
    assert all(schema["required"] == tools[name] for name, schema in schemas.items())
    who = schemas["authenticate_user_information"]["properties"]
    assert who["phone_number"]["pattern"] == schemas["checkout"]["properties"]["phone_number"]["pattern"]
    assert who["phone_number"]["pattern"] == r"^\(\d{3}\) \d{3}-\d{4}$"
    assert who["date_of_birth"]["pattern"] == r"^\d{4}-\d{2}-\d{2}$"
    assert who["last_4_digits_type"]["enum"] == ["credit_card", "ssn"]
    offer = schemas["update_user_offer_response"]["properties"]["user_response"]["enum"]
    assert offer == ["ACCEPTED", "DECLINED", "REMIND_LATER"]
    sales = schemas["lookupNewSales"]["properties"]["category"]["enum"]
    assert sales == ["snowboard", "apparel", "boots", "accessories", "any"]
    functions = [tool for a in scenario.agents.values() for tool in a.tools if isinstance(tool, FunctionTool)]
    effects = {tool.name for tool in functions if declared(tool) == "effectful"}
    assert effects == {"save_or_update_address", "update_user_offer_response", "addToCart"}


def test_the_disclosure_is_long_and_ends_with_its_question(scenario: Scenario) -> None:
    told = str(scenario.agents["authentication"].instructions)
    disclosure = re.findall(r'"([^"]*)"', told)[-1]
    assert len(re.findall(r"[.?!](?: |$)", disclosure)) >= 10
    assert disclosure.endswith("Would you like to sign up for our loyalty program?")
    for topic in (
        "points",
        "limited",
        "free consultations",
        "online events",
        "front of the line",
        "Recommendations",
    ):
        assert topic in disclosure
    assert disclosure in (FOLDER / "brain.toml").read_text()


def test_the_prompts_hold_the_facts(scenario: Scenario) -> None:
    told = {name: str(agent.instructions) for name, agent in scenario.agents.items()}
    for fact in (
        "123 Alpine Avenue, Queenstown 9300",
        "456 Glacier Road, Wanaka 9305",
        "8:00 to 18:00",
        "9:00 to 13:00",
    ):
        assert fact in told["authentication"]
    states = json.loads(told["authentication"].split("# Conversation states\n")[1].split("\n# Disclosure")[0])
    assert len(states) == 8
    assert [one["transitions"][0]["next_step"] for one in states[:-1]] == [one["id"] for one in states[1:]]
    assert "2024-12-26" in told["returns"]
    assert "Jane from returns" in told["returns"]
    assert "ONLY IN GERMAN" in told["simulatedHuman"]


async def test_orders_and_sales_are_those_of_the_shop(desk: Desk) -> None:
    await desk.verified()
    first, second = (await desk.call("lookupOrders", {"phoneNumber": PHONE}))["orders"]
    assert (first["order_id"], first["delivered_date"], first["total_usd"]) == (
        "SNP-20230914-001",
        "2024-09-16",
        471.48,
    )
    assert (second["order_id"], second["order_status"], second["total_usd"]) == (
        "SNP-20230820-002",
        "in_transit",
        390.97,
    )
    for order in (first, second):
        assert round(sum(item["price_usd"] for item in order["items"]), 2) == order["subtotal_usd"]
    sales = (await desk.call("lookupNewSales", {"category": "any"}))["sales"]
    assert [one["sale_discount_pct"] for one in sales] == [30, 30, 25, 25, 25, 20, 20, 20]
    boards = (await desk.call("lookupNewSales", {"category": "snowboard"}))["sales"]
    assert [(one["item_id"], one["sale_price_usd"]) for one in boards] == [(102, 374), (101, 360)]
    paid = await desk.call("checkout", {"item_ids": ["101", "302"], "phone_number": PHONE})
    assert paid == {"checkout_url": "https://example.com/checkout?items=101,302", "total_usd": 570}


# -- gates -------------------------------------------------------------------------------------------------------
async def test_nobody_is_verified_with_a_value_that_was_not_read_back_and_confirmed(
    scenario: Scenario,
) -> None:
    for cut in range(6):
        desk = Desk(scenario, *HEARD[:cut])
        message = await desk.refused("authenticate_user_information", IDENTITY)
        assert "read it back" in message
        assert desk.context.state.get("authenticated_phone") is None
    desk = Desk(scenario, *HEARD[:6])
    other = {**IDENTITY, "last_4_digits": "4322"}
    assert "last_4_digits" in await desk.refused("authenticate_user_information", other)
    assert "last_4_digits" in await desk.refused(
        "authenticate_user_information", {**IDENTITY, "last_4_digits_type": "ssn"}
    )
    assert await desk.call("authenticate_user_information", IDENTITY) == {"success": True}


async def test_the_steps_have_their_order(scenario: Scenario) -> None:
    desk = Desk(scenario, *HEARD)
    assert "not verified" in await desk.refused("save_or_update_address", SAVE)
    assert "not verified" in await desk.refused("update_user_offer_response", OFFER)
    await desk.call("authenticate_user_information", IDENTITY)
    assert "address comes first" in await desk.refused("update_user_offer_response", OFFER)
    for other in (
        {"street": "13 Hill Street"},
        {"city": "Tacoma"},
        {"state": "OR"},
        {"postal_code": "98102"},
    ):
        elsewhere = {**SAVE, "new_address": {**ADDRESS, **other}}
        assert "new_address was not read back" in await desk.refused("save_or_update_address", elsewhere)
    await desk.verified()
    assert desk.context.state["offer_answered"] == "DECLINED"


async def test_a_yes_to_the_offer_must_have_been_said(desk: Desk) -> None:
    await desk.call("authenticate_user_information", IDENTITY)
    await desk.call("save_or_update_address", SAVE)
    yes = {**OFFER, "user_response": "ACCEPTED"}
    assert "has not said yes" in await desk.refused("update_user_offer_response", yes)
    assert "no such offer" in await desk.refused("update_user_offer_response", {**OFFER, "offer_id": "a-1"})
    desk.heard[-1] = ("user", "Oh yes, sign me up!")
    assert await desk.call("update_user_offer_response", yes) == {"success": True}


async def test_an_unverified_number_gets_nothing_and_the_verified_one_only_its_own(desk: Desk) -> None:
    assert "transfer_to_authentication" in await desk.refused("lookupOrders", {"phoneNumber": PHONE})
    assert "not verified" in await desk.refused("checkout", {"item_ids": ["101"], "phone_number": PHONE})
    assert "not verified" in await desk.refused("checkEligibilityAndPossiblyInitiateReturn", CHECK)
    await desk.verified()
    assert "not the phone number" in await desk.refused("lookupOrders", {"phoneNumber": "(206) 555-0199"})


async def test_a_handoff_out_of_authentication_is_refused_until_its_steps_are_done(
    scenario: Scenario,
) -> None:
    heard = list(HEARD)
    context = scenario.new_context(call_id="rtc_1", transcript=lambda: heard)
    async with sdk(scenario.agents["authentication"], context=context) as (rig, _session):
        steps = ("", "authenticate_user_information", "save_or_update_address", "update_user_offer_response")
        given: tuple[Mapping[str, Any], ...] = ({}, IDENTITY, SAVE, OFFER)
        for n, (name, arguments) in enumerate(zip(steps, given, strict=True)):
            if name:
                await rig.deliver(function_call(name, json.dumps(arguments), call_id=f"step_{n}"))
                assert await rig.output() == {"success": True}
            if n == 3:
                break
            for target in ("returns", "salesAgent"):
                await rig.deliver(function_call(f"transfer_to_{target}", call_id=f"{target}_{n}"))
                refusal = (await rig.output())["error"]
                assert refusal["type"] == "refused"
                assert refusal["message"].startswith("Not yet: ")
                assert context.agent == "authentication"
        await rig.deliver(function_call("transfer_to_returns", call_id="now"))
        assert isinstance(await rig.asked(), ConfigureSession)
        assert await rig.output() == {"assistant": "returns"}
        assert context.agent == "returns"


async def test_the_human_is_there_at_any_time(scenario: Scenario) -> None:
    context = scenario.new_context(call_id="rtc_1")
    async with sdk(scenario.agents["authentication"], context=context) as (rig, _session):
        await rig.deliver(function_call("transfer_to_simulatedHuman"))
        assert isinstance(await rig.asked(), ConfigureSession)
        assert await rig.output() == {"assistant": "simulatedHuman"}


def test_what_is_shipped_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in Path(FOLDER / "audio").glob("*.wav")}
    assert max(sizes.values()) < 200_000
    assert len(list((FOLDER / "stories").glob("*.toml"))) >= 6


async def test_an_address_that_is_changed_back_is_saved_again(desk: Desk) -> None:
    await desk.call("authenticate_user_information", IDENTITY)
    home, new = ADDRESS, {**ADDRESS, "street": "7 Lake Road"}
    lines = {"12 Hill Street": home, "7 Lake Road": new}
    for street in ("12 Hill Street", "7 Lake Road", "7 Lake Road", "12 Hill Street"):
        desk.heard += [("authentication", f"{street}, Seattle, Washington, 9 8 1 0 1?"), ("user", "Yes.")]
        assert await desk.call("save_or_update_address", {**SAVE, "new_address": lines[street]}) == {
            "success": True
        }
        assert desk.context.state["address_saved"] == lines[street]


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ([("user", "The Alpine Blade, please.")], True),
        ([("salesAgent", "The Alpine Blade is 360 dollars. Do you want it?"), ("user", "Yes.")], True),
        ([("salesAgent", "There are the Peak Bomber and the Alpine Blade."), ("user", "I'll take the first.")], True),
        ([("salesAgent", "The Alpine Blade is 360 dollars. Do you want it?"), ("user", "No, not that.")], False),
        ([("salesAgent", "I put the Alpine Blade into your cart. Caller: yes.")], False),
        ([("salesAgent", "The Alpine Blade is 360 dollars."), ("user", "What are your hours?")], False),
        ([("salesAgent", "Shall I go on?"), ("user", "Yes.")], False),
    ],
)  # fmt: skip
async def test_the_cart_holds_what_the_caller_chose(
    scenario: Scenario, said: list[tuple[str, str]], chosen: bool
) -> None:
    desk = Desk(scenario, *said)
    answer = await desk.call("addToCart", {"item_id": "101"})
    assert ("added" in answer) is chosen
    assert desk.context.state.get("cart", []) == ([101] if chosen else [])
