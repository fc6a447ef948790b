"""A text model of this process as a model of the Agents SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.models.interface import ModelTracing
from pydantic import BaseModel

from agents import Agent, ModelSettings, RunConfig, Runner, function_tool
from rtbridge.agents.local_text import AGENT_LABEL, LocalTextModel, chat_messages
from rtbridge.engine.parts import Call, TextReply


class Scripted:
    """Answers in order and keeps what it was asked."""

    def __init__(self, *replies: TextReply) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[list[Any], list[Any], str, Any]] = []

    def respond(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> TextReply:
        self.asked.append((list(messages), list(tools), model, response_format))
        return self.replies.pop(0)


@function_tool
def double(n: int) -> int:
    """Double it."""
    return 2 * n


async def run(text: Scripted, **agent: Any) -> Any:
    made: Agent[Any] = Agent(name="a", instructions="Be brief.", model=LocalTextModel(text, "m"), **agent)
    return await Runner.run(made, "How much is it?", run_config=RunConfig(tracing_disabled=True))


async def test_a_run_calls_a_tool_and_reads_its_result() -> None:
    text = Scripted(TextReply(calls=(Call("double", '{"n": 21}'),)), TextReply("It is 42."))
    assert (await run(text, tools=[double])).final_output == "It is 42."
    messages, tools, model, shape = text.asked[1]
    assert (model, shape) == ("m", None)
    assert [tool["name"] for tool in tools] == ["double"]
    assert messages[:2] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How much is it?"},
    ]
    (called,) = messages[2]["tool_calls"]
    assert called["function"] == {"name": "double", "arguments": '{"n": 21}'}
    assert messages[3] == {"role": "tool", "tool_call_id": called["id"], "content": "42"}


async def test_the_label_in_the_metadata_names_who_answers() -> None:
    text = Scripted(TextReply("ok"))
    await run(text, model_settings=ModelSettings(metadata={AGENT_LABEL: "shop/clerk"}))
    assert text.asked[0][2] == "shop/clerk"


async def test_a_structured_answer_is_asked_for_by_its_schema() -> None:
    class Verdict(BaseModel):
        fine: bool

    text = Scripted(TextReply('{"fine": true}'))
    assert (await run(text, output_type=Verdict)).final_output == Verdict(fine=True)
    shape = text.asked[0][3]
    assert shape["type"] == "json_schema"
    assert list(shape["schema"]["properties"]) == ["fine"]


async def test_ids_of_one_model_never_repeat() -> None:
    model = LocalTextModel(Scripted(*[TextReply("a", (Call("f", "{}"), Call("g", "{}")))] * 2), "m")
    outputs = [
        await model.get_response(
            None, "x", ModelSettings(), [], None, [], ModelTracing.DISABLED,
            previous_response_id=None, conversation_id=None, prompt=None,
        )
        for _ in range(2)
    ]  # fmt: skip
    ids = [getattr(item, "id", "") for output in outputs for item in output.output]
    assert len(set(ids)) == len(ids) == 6


def test_developer_messages_are_system_messages_and_parts_are_joined() -> None:
    parts = [{"type": "output_text", "text": "Hel"}, {"type": "output_text", "text": "lo"}]
    assert chat_messages(
        [
            {"role": "developer", "content": "x"},
            {"type": "message", "role": "assistant", "content": parts},
            {"type": "reasoning", "id": "r", "summary": []},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "é"}]},
        ]
    ) == [
        {"role": "system", "content": "x"},
        {"role": "assistant", "content": "Hello"},
        {
            "role": "tool",
            "tool_call_id": "c",
            "content": json.dumps([{"type": "input_text", "text": "é"}], ensure_ascii=False),
        },
    ]
