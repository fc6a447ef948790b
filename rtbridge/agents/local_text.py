"""A text model of this process for the Agents SDK: the embedded engine's, without a socket.

Runs on the virtual clock of a replay and wherever bridge and engine are one process. The SDK's input items become
chat messages, the reply becomes output items; nothing is streamed, since nobody here waits for the first token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, Protocol

from agents.items import TResponseStreamEvent
from agents.models.interface import Model, ModelTracing
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponsePromptParam,
)

from agents import (
    AgentOutputSchemaBase,
    FunctionTool,
    Handoff,
    ModelResponse,
    ModelSettings,
    Tool,
    TResponseInputItem,
    Usage,
)

AGENT_LABEL: Final = "rtbridge_agent"
"""Key in a request's `metadata`: "<scenario>/<agent>", by which the engine finds the lines of a text agent."""


class Called(Protocol):
    """A tool call of a reply."""

    @property
    def name(self) -> str:
        """The tool."""
        ...

    @property
    def arguments_json(self) -> str:
        """A JSON object."""
        ...


class Reply(Protocol):
    """What a text model answered."""

    @property
    def text(self) -> str:
        """What it says; "" for nothing."""
        ...

    @property
    def calls(self) -> Sequence[Called]:
        """The tools it calls."""
        ...


class Responds(Protocol):
    """The engine's text model, as far as it is needed here (`rtbridge.engine.parts.TextModel`)."""

    def respond(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> Reply:
        """Answer chat messages. Blocking."""
        ...


class LocalTextModel(Model):
    """`respond` as a model of the Agents SDK. Blocking work goes to the loop's executor."""

    def __init__(self, text: Responds, name: str) -> None:
        """Ask `text` under the model's `name`, or under the label in the request's metadata."""
        self._text = text
        self._name = name
        self._number = count(1)

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> ModelResponse:
        """Answer one request of a run; see `Model.get_response`."""
        messages = [{"role": "system", "content": system_instructions}] if system_instructions else []
        messages += chat_messages(input)
        name = (model_settings.metadata or {}).get(AGENT_LABEL, self._name)
        declared = [_declared(tool) for tool in tools if isinstance(tool, FunctionTool)]
        shape = _shape(output_schema)
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(None, self._text.respond, messages, declared, name, shape)
        output: list[Any] = []
        if reply.text or not reply.calls:
            output.append(self._message(reply.text))
        output += [self._call(call) for call in reply.calls]
        return ModelResponse(output=output, usage=Usage(requests=1), response_id=None)

    def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> AsyncIterator[TResponseStreamEvent]:
        """Raise NotImplementedError: use Runner.run, which asks for whole responses."""
        raise NotImplementedError("the engine's text model answers whole; use Runner.run")

    def _message(self, text: str) -> ResponseOutputMessage:
        part = ResponseOutputText(type="output_text", text=text, annotations=[])
        return ResponseOutputMessage(
            id=f"msg_{next(self._number):04d}",
            type="message",
            role="assistant",
            status="completed",
            content=[part],
        )

    def _call(self, call: Called) -> ResponseFunctionToolCall:
        number = next(self._number)
        return ResponseFunctionToolCall(
            id=f"fc_{number:04d}",
            call_id=f"text_call_{number:04d}",
            type="function_call",
            name=call.name,
            arguments=call.arguments_json,
            status="completed",
        )


def chat_messages(items: str | list[Any]) -> list[dict[str, Any]]:
    """Return the SDK's input items as chat completions messages; kinds that a chat has not are left out."""
    if isinstance(items, str):
        return [{"role": "user", "content": items}]
    messages: list[dict[str, Any]] = []
    for item in items:
        match item.get("type", "message"):
            case "message":
                role = "system" if item["role"] == "developer" else item["role"]
                messages.append({"role": role, "content": _text(item.get("content"))})
            case "function_call":
                function = {"name": item["name"], "arguments": item["arguments"]}
                call = {"id": item["call_id"], "type": "function", "function": function}
                messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
            case "function_call_output":
                output = item["output"]
                content = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
                messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
    return messages


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in content or ())


def _declared(tool: FunctionTool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.params_json_schema,
    }


def _shape(schema: AgentOutputSchemaBase | None) -> dict[str, Any] | None:
    if schema is None or schema.is_plain_text():
        return None
    return {"type": "json_schema", "name": schema.name(), "schema": schema.json_schema()}
