"""A brain file's mechanisms: slots and their grammar, read-backs, tools with arguments, replies from results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from brain_rig import Talk, tool
from rtbridge.engine.brain import CANNOT, Brain
from rtbridge.engine.brain_file import load_brain_file
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.parts import Say

LINES = r"""
format = 1

[agents.desk]
opening = ["This is the desk."]
start = "open"
lost = ["Sorry?", "Pardon?"]

[agents.desk.states.open]

[agents.desk.slots.phone]
kind = "phone"
ask = ["What is your phone number?"]
again = ["I need ten digits.", "All ten digits, please."]
confirm = ["I have {phone|digits}. Right?"]

[agents.desk.slots.born]
kind = "date"
ask = ["When were you born?"]

[agents.desk.slots.last4]
kind = "digits"
length = 4
ask = ["The last four digits?"]

[agents.desk.slots.card]
kind = "choice"
choices = { ssn = ["social security"], credit_card = ["card"] }
ask = ["Card or social security?"]

[[agents.desk.intents]]
name = "order"
examples = ["where is my order", "track my package", "I want to know about my delivery"]
needs = ["phone"]
say = ["Let me look."]
call = "lookupOrders"
arguments = { phoneNumber = "{phone}", note = "asked by {phone}", missing = "{nothing}" }

[[agents.desk.intents]]
name = "verify"
examples = ["verify me", "prove who I am"]
needs = ["born", "last4", "card"]
call = "verify"
arguments = { born = "{born}", last4 = "{last4}", kind = "{card}" }

[[agents.desk.intents]]
name = "person"
examples = ["let me talk to a human", "get me a person"]
call = "transfer_to_person"

[[agents.desk.replies]]
tool = "lookupOrders"
when = { "orders.0.status" = "delivered" }
say = ["It came: {orders.0.item}, order {orders.0.id|digits}."]

[[agents.desk.replies]]
tool = "lookupOrders"
say = ["{orders.5.item} is late.", "It is on its way."]
"""
FALLBACK = """
[[agents.desk.intents]]
name = "find"
examples = ["find my parcel"]
say = ["Looking."]
call = "find"

[[agents.desk.intents]]
name = "chat"
examples = ["how are you"]
say = ["Fine."]

[[agents.desk.replies]]
tool = "find"
say = ["It is {place}."]

[[agents.desk.replies]]
tool = "find"
say = ["I could not find it."]
"""
LOOKUP = tool(
    "lookupOrders",
    {
        "type": "object",
        "properties": {
            "phoneNumber": {"type": "string", "pattern": r"^\(\d{3}\) \d{3}-\d{4}$"},
            "note": {"type": "string"},
        },
        "required": ["phoneNumber"],
        "additionalProperties": False,
    },
)
VERIFY = tool("verify", {"type": "object", "properties": {"last4": {"pattern": r"^\d{4}$"}}})


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Brain:
    path = tmp_path_factory.mktemp("brain") / "brain.toml"
    path.write_text(LINES, "utf-8")
    return Brain({"shop": load_brain_file(path)}, Meaning(None))


def talk(brain: Brain, outputs: dict[str, Any] | None = None) -> Talk:
    started = Talk(brain, "shop", "desk", {"desk": [LOOKUP, VERIFY]}, outputs)
    assert started.respond() == ["This is the desk."]
    return started


def test_a_needed_slot_is_asked_for_read_back_and_given_to_the_tool(brain: Brain) -> None:
    call = talk(brain, {"lookupOrders": {"orders": [{"status": "delivered", "item": "boots", "id": "A-12"}]}})
    assert call.hear("Where is my order?") == ["What is your phone number?"]
    assert call.hear("Two oh six, one three five, one two four six.") == [
        "I have two zero six, one three five, one two four six. Right?"
    ]
    assert call.hear("Yes.") == ["Let me look.", "It came: boots, order A, one two."]
    (made,) = call.calls
    assert json.loads(made.arguments_json) == {
        "phoneNumber": "(206) 135-1246",
        "note": "asked by (206) 135-1246",
    }


def test_a_correction_is_read_back_again_and_a_no_asks_again(brain: Brain) -> None:
    call = talk(brain)
    call.hear("Where is my order?")
    call.hear("206 135 1246")
    assert call.hear("No, it is 206 135 1247.") == [
        "I have two zero six, one three five, one two four seven. Right?"
    ]
    assert call.hear("No.") == ["What is your phone number?"]
    assert call.calls == []


def test_what_does_not_fit_is_asked_for_in_other_words_each_time(brain: Brain) -> None:
    call = talk(brain)
    call.hear("Where is my order?")
    assert call.hear("It is 206.") == ["I need ten digits."]
    assert call.hear("206 again.") == ["All ten digits, please."]


def test_slots_are_asked_for_one_after_the_other(brain: Brain) -> None:
    call = talk(brain, {"verify": {"ok": True}})
    assert call.hear("Please verify me.") == ["When were you born?"]
    assert call.hear("May first, nineteen ninety.") == ["The last four digits?"]
    assert call.hear("One two three four.") == ["Card or social security?"]
    call.hear("Not the card, the social security.")
    assert json.loads(call.calls[0].arguments_json) == {"born": "1990-05-01", "last4": "1234", "kind": "ssn"}


def test_a_known_slot_is_not_asked_for_twice_in_a_call(brain: Brain) -> None:
    call = talk(brain, {"lookupOrders": {"orders": []}})
    call.hear("Where is my order?")
    call.hear("206 135 1246")
    assert call.hear("Yes.") == ["Let me look.", "It is on its way."]
    assert call.hear("Track my package.") == ["Let me look.", "It is on its way."]


def test_a_result_that_no_line_is_written_for_is_still_told(brain: Brain) -> None:
    call = talk(brain, {"verify": {"error": "the number is unknown."}})
    for text in ("verify me", "1990-05-01", "1234"):
        call.hear(text)
    assert call.hear("credit card") == ["I'm sorry, that did not work: the number is unknown."]


def test_a_tool_that_the_session_does_not_have_is_refused_honestly(brain: Brain) -> None:
    call = talk(brain)
    assert call.hear("Get me a person.") == [CANNOT]
    assert call.calls == []


def test_arguments_that_the_schema_forbids_are_never_sent(brain: Brain) -> None:
    strict = tool("verify", {"type": "object", "properties": {"kind": {"enum": ["passport"]}}})
    call = Talk(brain, "shop", "desk", {"desk": [strict]})
    call.respond()
    for text in ("verify me", "1990-05-01", "1234"):
        call.hear(text)
    assert call.hear("ssn") == [CANNOT]
    assert call.calls == []


def test_a_second_response_without_news_says_something_else(brain: Brain) -> None:
    call = talk(brain)
    assert call.respond() == ["Sorry?"]


def test_nothing_is_said_while_a_tool_has_not_answered(brain: Brain) -> None:
    call = talk(brain)
    call.items.append({"type": "function_call", "name": "lookupOrders", "call_id": "c", "arguments": "{}"})
    assert brain.answer(call.turn()) == []


def test_hello_before_the_opening_gets_the_opening(brain: Brain) -> None:
    call = Talk(brain, "shop", "desk", {})
    assert call.hear("Hello?") == ["This is the desk."]


def test_a_wish_takes_the_slot_that_was_said_with_it(brain: Brain) -> None:
    call = talk(brain)
    assert call.hear("Where is my order? I am at 206 135 1246.") == [
        "I have two zero six, one three five, one two four six. Right?"
    ]


def test_a_reply_that_cannot_be_said_gives_way_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "brain.toml").write_text(LINES + FALLBACK, "utf-8")
    brain = Brain({"shop": load_brain_file(tmp_path / "brain.toml")}, Meaning(None))
    for output, told in (({"place": "left"}, "It is left."), ({"error": "gone"}, "I could not find it.")):
        call = Talk(brain, "shop", "desk", {"desk": [tool("find")]}, {"find": output})
        call.respond()
        assert call.hear("find my parcel") == ["Looking.", told]


def test_a_reply_may_depend_on_the_state(tmp_path: Path) -> None:
    text = FALLBACK.replace('say = ["It is', 'when = { state = "seeking" }\nsay = ["It is')
    (tmp_path / "brain.toml").write_text(LINES + text, "utf-8")
    brain = Brain({"shop": load_brain_file(tmp_path / "brain.toml")}, Meaning(None))
    call = Talk(brain, "shop", "desk", {"desk": [tool("find")]}, {"find": {"place": "left"}})
    call.respond()
    assert call.hear("find my parcel") == ["Looking.", "I could not find it."]


def test_mere_talk_leaves_the_question_that_was_asked_open(tmp_path: Path) -> None:
    (tmp_path / "brain.toml").write_text(LINES + FALLBACK, "utf-8")
    brain = Brain({"shop": load_brain_file(tmp_path / "brain.toml")}, Meaning(None))
    call = talk(brain)
    call.hear("Where is my order?")
    assert call.hear("how are you") == ["Fine."]
    assert call.hear("206 135 1246") == ["I have two zero six, one three five, one two four six. Right?"]


def test_who_is_told_what_to_say_says_just_that(brain: Brain) -> None:
    turn = talk(brain).turn('Say exactly this and nothing else: "One moment, please."')
    assert brain.answer(turn) == [Say("One moment, please.")]
