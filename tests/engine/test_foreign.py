"""Strangers: their tools are called by name and description, what is missing is asked for, the rest is honest."""

from __future__ import annotations

import json
from typing import Any

import pytest

import speech_rig
from brain_rig import Talk, tool
from rtbridge.engine.brain import Brain
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.parts import Call, Say, Turn
from rtbridge.engine.schema import fault

WEATHER = tool(
    "get_weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city"],
    },
    "Get the current weather for a city.",
)
ORDER = tool(
    "lookup_order",
    {
        "type": "object",
        "properties": {"order_number": {"type": "string", "description": "The order number, digits only"}},
        "required": ["order_number"],
    },
    "Looks up the status of a customer's order.",
)
TABLE = tool(
    "book_table",
    {
        "type": "object",
        "properties": {
            "people": {"type": "integer", "minimum": 1, "maximum": 20},
            "phone": {"type": "string", "pattern": r"^\(\d{3}\) \d{3}-\d{4}$"},
            "outside": {"type": "boolean"},
        },
        "required": ["people", "phone"],
    },
    "Books a table in the restaurant.",
)
LAMP = tool("turn_off_lights", description="Turns off the lights in the room.")
TOOLS = [WEATHER, ORDER, TABLE, LAMP]


@pytest.fixture(scope="module")
def brain() -> Brain:
    return Brain({}, speech_rig.meaning())


def talk(brain: Brain, outputs: dict[str, Any] | None = None, tools: list[dict[str, Any]] = TOOLS) -> Talk:
    return Talk(brain, "", "x", {"x": tools}, outputs)


@pytest.mark.parametrize(
    ("heard", "name", "arguments"),
    [
        ("What's the weather like in Paris?", "get_weather", {"city": "Paris"}),
        (
            "Tell me the weather in New York in celsius.",
            "get_weather",
            {"city": "New York", "unit": "celsius"},
        ),
        ("Where is my order 31,245?", "lookup_order", {"order_number": "31245"}),
        ("Can you check order number three one two four five?", "lookup_order", {"order_number": "31245"}),
        ("Please turn off the lights.", "turn_off_lights", {}),
    ],
)
def test_a_tool_is_called_with_what_was_said(
    brain: Brain, heard: str, name: str, arguments: dict[str, Any]
) -> None:
    call = talk(brain, {name: {"ok": "yes"}})
    call.hear(heard)
    assert [(made.name, json.loads(made.arguments_json)) for made in call.calls] == [(name, arguments)]


def test_what_is_missing_is_asked_for_one_by_one(brain: Brain) -> None:
    call = talk(brain, {"book_table": {"status": "booked"}})
    assert call.hear("I'd like to book a table.") == ["What is the people?"]
    assert call.hear("Four.") == ["What is the phone?"]
    assert call.hear("206 135 1246") == ["Here is what I found. status: booked."]
    assert json.loads(call.calls[0].arguments_json) == {"people": 4, "phone": "(206) 135-1246"}


def test_without_a_turn_it_greets_and_small_talk_is_answered(brain: Brain) -> None:
    call = talk(brain)
    assert call.respond() == ["Hello! How can I help you?"]
    assert call.hear("Thank you.") == ["You're welcome."]
    assert call.hear("Goodbye.") == ["Goodbye!"]


def test_what_is_beyond_it_is_said_honestly_and_not_twice_alike(brain: Brain) -> None:
    call = talk(brain, tools=[])
    first = call.hear("Explain the theory of relativity.")
    second = call.hear("Explain the theory of relativity.")
    assert "relativity" in first[0]
    assert "language model" in first[0]
    assert first != second
    assert call.hear("") == ["I did not catch that. Could you say it again?"]


def answer(brain: Brain, text: str, tool_choice: Any) -> list[Say | Call]:
    content = [{"type": "input_text", "text": text}]
    items = [{"type": "message", "role": "user", "content": content}]
    return brain.answer(Turn("", TOOLS, items, "unknown/agent", tool_choice, None, "sage"))


def test_tool_choice_is_obeyed(brain: Brain) -> None:
    weather = "What's the weather in Paris?"
    assert [type(act) for act in answer(brain, weather, "none")] == [Say]
    assert answer(brain, "The lights.", {"type": "function", "name": "turn_off_lights"}) == [
        Call("turn_off_lights", "{}")
    ]
    assert [type(act) for act in answer(brain, "lights off please", "required")] == [Call]


@pytest.mark.parametrize(
    ("value", "schema", "wrong"),
    [
        ({"a": 1}, {"type": "object", "required": ["b"]}, "arguments.b is missing"),
        ({"a": 1}, {"properties": {"a": {"type": "string"}}}, "arguments.a must be string"),
        ({"a": True}, {"properties": {"a": {"type": "integer"}}}, "arguments.a must be integer"),
        ({"a": 1}, {"properties": {}, "additionalProperties": False}, "arguments.a is not known"),
        ({"a": "x"}, {"properties": {"a": {"enum": ["y", "z"]}}}, "arguments.a must be one of y, z"),
        ({"a": "x"}, {"properties": {"a": {"const": "y"}}}, "arguments.a must be y"),
        ({"a": "x"}, {"properties": {"a": {"pattern": "^y"}}}, "arguments.a does not match ^y"),
        ({"a": "x"}, {"properties": {"a": {"minLength": 2}}}, "arguments.a has a wrong length"),
        ({"a": 9}, {"properties": {"a": {"maximum": 5}}}, "arguments.a must be between None and 5"),
        (
            {"a": [1, "x"]},
            {"properties": {"a": {"items": {"type": "integer"}}}},
            "arguments.a[1] must be integer",
        ),
        ({"a": []}, {"properties": {"a": {"minItems": 1}}}, "arguments.a has too few entries"),
        ({"a": None}, {"properties": {"a": {"type": ["string", "null"]}}}, None),
        ({"a": 1.5, "b": "x"}, {"properties": {"a": {"type": "number", "minimum": 1}}}, None),
    ],
)
def test_arguments_are_checked_against_their_schema(
    value: Any, schema: dict[str, Any], wrong: str | None
) -> None:
    assert fault(value, schema) == wrong


@pytest.mark.models
def test_what_was_studied_is_known_when_the_first_wish_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    meaning = speech_rig.meaning()
    brain = Brain({}, meaning)
    brain.study(None, TOOLS)
    for text in brain.examples():
        meaning.vector(text)
    measured: list[str] = []
    make = Meaning._make

    def measure(self: Meaning, text: str) -> Any:
        measured.append(text)
        return make(self, text)

    monkeypatch.setattr(Meaning, "_make", measure)
    talk(brain).hear("Please make it dark in the kitchen, whatever that costs.")
    assert len(measured) == 1  # the wish itself
