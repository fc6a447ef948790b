"""The returns desk of Snowy Peak Boards: what a check needs, what the book decides, and what the model is asked."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from agents.items import ModelResponse

from retail_rig import (
    CHECK,
    DELAMINATED,
    FOLDER,
    HEARD,
    HEARD_OTHER,
    IDENTITY,
    OTHER,
    PHONE,
    POLICY,
    WISH,
    Desk,
    Thinker,
)
from rtbridge.agents.effect_book import EffectBook
from rtbridge.agents.scenario import Scenario, load_scenario


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(FOLDER)


@pytest.fixture
def desk(scenario: Scenario) -> Desk:
    return Desk(scenario, *HEARD)


async def test_a_check_needs_orders_and_policy_first(desk: Desk) -> None:
    await desk.verified()
    check_tool = "checkEligibilityAndPossiblyInitiateReturn"
    assert "lookupOrders first" in await desk.refused(check_tool, CHECK)
    await desk.call("lookupOrders", {"phoneNumber": PHONE})
    assert "retrievePolicy first" in await desk.refused(check_tool, CHECK)
    assert desk.returns == {}


async def test_a_return_is_recorded_once_and_its_text_message_has_item_order_and_phone(desk: Desk) -> None:
    await desk.verified()
    first = await desk.checked("I'd like to return my snowboard.", DELAMINATED)
    assert first["eligible"] == "true"
    assert all(
        fact in first["next_steps"] for fact in ("SNB-TT-X01", "SNP-20230914-001", PHONE, "text message")
    )
    assert first["already_recorded"] is False
    again = await desk.checked("Please return it once more.", question="again")
    assert (again["return_id"], again["already_recorded"]) == (first["return_id"], True)
    assert list(desk.returns) == ["SNB-TT-X01"]


@pytest.mark.parametrize(
    ("said", "eligible"),
    [
        (["It has a big crack."], "need_more_information"),
        (["It has a big crack.", "The base cracked near the nose after two days of normal riding."], "true"),
        (["I'd just like to return it."], "need_more_information"),
        (["I changed my mind."], "false"),
        (["The edge came off after I dropped it down the stairs."], "false"),
        ([DELAMINATED], "true"),
    ],
)
async def test_the_book_decides_by_what_the_caller_said(desk: Desk, said: list[str], eligible: str) -> None:
    await desk.verified()
    answer = await desk.checked(WISH, *said)
    assert answer["eligible"] == eligible
    assert bool(answer["missing"]) == (eligible == "need_more_information")
    assert bool(desk.returns) == (eligible == "true")


async def test_an_item_in_transit_is_not_taken_back_and_an_unnamed_one_is_asked_for(desk: Desk) -> None:
    await desk.verified()
    asked = await desk.checked("It broke.", userDesiredAction="return it", question="what now")
    assert asked["missing"] == ["Which item would you like to return?"]
    goggles = await desk.checked(
        "The lens of my goggles cracked after one day.", userDesiredAction="return the goggles"
    )
    assert goggles["eligible"] == "false"
    assert desk.returns == {}


@pytest.mark.parametrize("says", [RuntimeError("down"), "I think so.", '{"eligible": "maybe"}'])
async def test_without_a_usable_answer_of_the_model_the_book_decides(scenario: Scenario, says: Any) -> None:
    desk = Desk(scenario, *HEARD, model=Thinker(says))
    await desk.verified()
    assert (await desk.checked(WISH, DELAMINATED))["eligible"] == "true"


async def test_the_model_and_how_long_it_may_think_are_settings(scenario: Scenario) -> None:
    usual = Desk(scenario, *HEARD, model=Thinker('{"eligible": "true"}'))
    await usual.verified()
    await usual.checked(WISH, DELAMINATED)
    assert (usual.models, usual.context.reasoning_timeout_s) == (["o4-mini"], 20.0)

    class Ponderer(Thinker):
        async def get_response(self, *_args: Any, **_more: Any) -> ModelResponse:
            await asyncio.Event().wait()
            raise AssertionError

    own = Desk(scenario, *HEARD, model=Ponderer(""), reasoning_model="other-model", reasoning_timeout_s=0.2)
    await own.verified()
    began_s = time.monotonic()
    assert (await own.checked(WISH, DELAMINATED))["eligible"] == "true"  # by the book
    assert 0.15 < time.monotonic() - began_s < 5
    assert own.models == ["other-model"]


async def test_the_model_gets_wish_question_facts_and_the_last_ten_messages(scenario: Scenario) -> None:
    thinker = Thinker(
        '{"rationale": "r", "request": "q", "eligible": "need_more_information", "missing": ["Where?"]}'
    )
    desk = Desk(scenario, *HEARD, model=thinker)
    await desk.verified()
    answer = await desk.checked(WISH, DELAMINATED)
    assert (answer["eligible"], answer["missing"]) == ("need_more_information", ["Where?"])
    asked = json.loads(
        thinker.asked[0] if isinstance(thinker.asked[0], str) else thinker.asked[0][0]["content"]
    )
    assert asked["wish"] == CHECK["userDesiredAction"]
    assert asked["question"] == CHECK["question"]
    assert asked["facts"]["orders"][0]["order_id"] == "SNP-20230914-001"
    assert asked["last_messages"] == [f"{who}: {text}" for who, text in desk.heard[-10:]]
    assert len(asked["last_messages"]) == 10


async def test_a_return_of_an_earlier_call_is_known_and_another_customers_is_not(
    scenario: Scenario, tmp_path: Path
) -> None:
    path = tmp_path / "effects.db"
    made = []
    for n, (heard, phone) in enumerate(
        [(HEARD, PHONE), (HEARD, PHONE), (HEARD, PHONE), (HEARD_OTHER, OTHER)]
    ):
        book = EffectBook(path)  # each call is another process's
        desk = Desk(scenario, *heard, book=book, call_id=f"rtc_{n}")
        for name, arguments in (
            ("authenticate_user_information", {**IDENTITY, "phone_number": phone}),
            ("lookupOrders", {"phoneNumber": phone}),
            ("retrievePolicy", POLICY),
        ):
            assert "error" not in await desk.call(name, arguments)
        desk.heard += [("user", WISH), ("user", DELAMINATED)]
        answer = await desk.call("checkEligibilityAndPossiblyInitiateReturn", CHECK)
        made.append((answer["return_id"], answer["already_recorded"]))
        assert phone in answer["next_steps"]
        await book.close()
    first = made[0][0]
    assert made == [(first, False), (first, True), (first, True), (first, False)]
    with sqlite3.connect(path) as written:
        rows = written.execute(
            "SELECT call_id FROM effects WHERE tool = 'checkEligibilityAndPossiblyInitiateReturn'"
        )
        calls = [call_id for (call_id,) in rows]
    written.close()
    assert sorted(calls) == ["rtc_0", "rtc_3"]


async def test_only_what_the_caller_named_and_wished_is_returned(desk: Desk) -> None:
    await desk.verified()
    asked = await desk.checked(f"My snowboard is broken. {DELAMINATED}")
    assert asked["missing"] == ["Would you like to return the Twin Tip Snowboard X?"]
    other = await desk.checked(WISH, userDesiredAction="return the boots")
    assert other["missing"] == ["Which item would you like to return?"]
    assert desk.returns == {}
    both = await desk.checked("I have boots from you as well.", userDesiredAction="return the boots")
    assert both["eligible"] == "need_more_information"  # what was said of the board is not said of the boots
    assert (await desk.checked())["eligible"] == "true"
    assert list(desk.returns) == ["SNB-TT-X01"]


@pytest.mark.parametrize(
    ("said", "wished"),
    [
        ([("user", "I want my money back for the board.")], True),
        ([("user", "Can you take this board back?")], True),
        ([("returns", "Would you like to return the Twin Tip Snowboard X?"), ("user", "Yes, please.")], True),
        ([("returns", "Would you like to return it?"), ("user", "No.")], False),
        ([("returns", "I start the return now. Caller: yes.")], False),
        ([("user", "I'd like to return it."), ("user", "Oh no, I don't want to return it any more.")], False),
        ([("user", "Which glue is good for a board?")], False),
    ],
)
async def test_a_wish_is_the_callers(desk: Desk, said: list[tuple[str, str]], wished: bool) -> None:
    await desk.verified()
    desk.heard += [("user", f"It is about my board. {DELAMINATED}"), *said]
    answer = await desk.checked()
    assert (answer["eligible"] == "true") is wished
    assert list(desk.returns) == (["SNB-TT-X01"] if wished else [])
