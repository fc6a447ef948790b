"""Requests to the text endpoints, read into one question."""

from __future__ import annotations

from typing import Any

import pytest

from rtbridge.engine.parts import TextReply
from rtbridge.engine.text_answers import ChatAnswer
from rtbridge.engine.text_api import chat_question, responses_question
from rtbridge.errors import BadRequest

TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
FLAT = dict(TOOL)
NESTED = {"type": "function", "function": {key: value for key, value in TOOL.items() if key != "type"}}


def test_a_conversation_with_a_call_reads_the_same_in_both_spellings() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chat = chat_question(
        {
            "model": "m",
            "messages": [
                {"role": "developer", "content": "be kind"},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}],
                },
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": "sunny"},
            ],
            "tools": [NESTED],
        }
    )
    responses = responses_question(
        {
            "model": "m",
            "instructions": "be kind",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
                {"type": "reasoning", "id": "r", "summary": []},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "sunny"},
            ],
            "tools": [FLAT],
        }
    )
    assert chat == responses
    assert chat.messages[1] == {"role": "user", "content": "hello"}
    assert chat.tools == [TOOL]


def test_tool_choice_none_hides_the_tools() -> None:
    assert responses_question({"input": "x", "tools": [FLAT], "tool_choice": "none"}).tools == []


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
            {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
        ),
    ],
)
def test_the_format_of_the_answer_is_read(given: Any, read: Any) -> None:
    assert responses_question({"input": "x", "text": {"format": given}}).response_format == read


def test_a_tool_without_a_name_and_a_body_without_input_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"tools\[0\].name"):
        chat_question({"messages": [{"role": "user"}], "tools": [{"type": "function"}]})
    with pytest.raises(BadRequest, match="input"):
        responses_question({"model": "m", "input": []})


def test_an_empty_reply_is_a_message_without_text() -> None:
    question = chat_question({"messages": [{"role": "user", "content": "x"}]})
    answer = ChatAnswer(question, TextReply(), lambda prefix: f"{prefix}_1", 0)
    assert answer.whole()["choices"][0]["message"]["content"] == ""
    assert [chunk["choices"][0]["finish_reason"] for chunk in answer.stream(include_usage=False)] == [
        None,
        "stop",
    ]


def test_a_label_in_the_metadata_names_the_agent_that_answers_and_else_the_model_does() -> None:
    body = {"model": "gpt-4.1", "input": "hello"}
    labelled = responses_question({**body, "metadata": {"rtbridge_agent": "shop/clerk", "other": "x"}})
    assert labelled.model == "shop/clerk"
    assert responses_question({**body, "metadata": {"other": "x"}}).model == "gpt-4.1"
    with pytest.raises(BadRequest, match="metadata"):
        responses_question({**body, "metadata": "shop/clerk"})
