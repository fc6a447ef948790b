"""What agents ask text models in a call (supervisors, classifiers), written down as requests and responses.

    {"type": "rtbridge.text.request", "id": "text_1", "request": {"model": …, "instructions": …, "input": …, …}}
    {"type": "rtbridge.text.response", "id": "text_1", "output": […]}          items of the Responses API
    {"type": "rtbridge.text.failed", "id": "text_1", "error": {"type": …, "message": …}}

A request has the names of POST /v1/responses. One that was cancelled, by a deadline or by the end of the call, has no
answer. Streamed responses pass by unwritten: no agent of a call asks for one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

from agents.items import TResponseStreamEvent
from agents.models.interface import Model, ModelTracing
from agents.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from pydantic import BaseModel

from agents import (
    AgentOutputSchemaBase,
    FunctionTool,
    Handoff,
    ModelResponse,
    ModelSettings,
    Tool,
    TResponseInputItem,
)
from rtbridge.upstream.frames import TEXT_FAILED, TEXT_REQUEST, TEXT_RESPONSE

MAX_ERROR_CHARS: Final = 500
SETTINGS: Final = (  # of a request that change what a model answers
    "temperature", "top_p", "tool_choice", "parallel_tool_calls", "truncation", "max_tokens", "reasoning",
    "verbosity", "metadata",
)  # fmt: skip

Write = Callable[[str, Mapping[str, Any]], None]
"""Takes "out" or "in", and an event."""


class Requests:
    """The text requests of one call, numbered and written in their order."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._asked = 0

    def asked(self, request: Mapping[str, Any]) -> str:
        """Write a request down and return its id."""
        self._asked += 1
        request_id = f"text_{self._asked}"
        self._write("out", {"type": TEXT_REQUEST, "id": request_id, "request": request})
        return request_id

    def answered(self, request_id: str, output: Sequence[Any]) -> None:
        """Write down what a model answered."""
        self._write("in", {"type": TEXT_RESPONSE, "id": request_id, "output": plain(output)})

    def failed(self, request_id: str, error: Exception) -> None:
        """Write down that a model failed."""
        told = {"type": type(error).__name__, "message": str(error)[:MAX_ERROR_CHARS]}
        self._write("in", {"type": TEXT_FAILED, "id": request_id, "error": told})


class RecordedTextModel(Model):
    """Passes everything on to another model of the Agents SDK, and writes requests and responses down."""

    def __init__(self, inner: Model, name: str, requests: Requests) -> None:
        """`name` is what the model was asked for by."""
        self._inner = inner
        self._name = name
        self._requests = requests

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff[Any, Any]],
        tracing: ModelTracing,
        **rest: Any,
    ) -> ModelResponse:
        """Ask the inner model. Raises what that raises."""
        asked = (system_instructions, input, model_settings, tools, output_schema, handoffs)
        request_id = self._requests.asked(request_of(self._name, *asked))
        try:
            response = await self._inner.get_response(*asked, tracing, **rest)
        except Exception as error:
            self._requests.failed(request_id, error)
            raise
        self._requests.answered(request_id, response.output)
        return response

    def stream_response(self, *args: Any, **rest: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Pass on to the inner model, and write nothing down."""
        return self._inner.stream_response(*args, **rest)

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Return the inner model's."""
        return self._inner.get_retry_advice(request)

    async def close(self) -> None:
        """Close the inner model."""
        await self._inner.close()


def request_of(
    model: str,
    instructions: str | None,
    input: str | list[TResponseInputItem],
    settings: ModelSettings,
    tools: Sequence[Tool],
    schema: AgentOutputSchemaBase | None,
    handoffs: Sequence[Handoff[Any, Any]],
) -> dict[str, Any]:
    """Return what a model is asked, as plain JSON; what says nothing is left out."""
    request: dict[str, Any] = {"model": model, "instructions": instructions, "input": input}
    request["tools"] = [*(_tool(tool) for tool in tools), *(_handoff(handoff) for handoff in handoffs)]
    if schema is not None and not schema.is_plain_text():
        request["format"] = {"name": schema.name(), "schema": schema.json_schema()}
    request |= {name: getattr(settings, name) for name in SETTINGS}
    return {key: plain(value) for key, value in request.items() if value is not None and value != []}


def _tool(tool: Tool) -> dict[str, Any]:
    if not isinstance(tool, FunctionTool):
        return {"type": type(tool).__name__, "name": tool.name}
    named = {"type": "function", "name": tool.name, "description": tool.description}
    return named | {"parameters": tool.params_json_schema}


def _handoff(handoff: Handoff[Any, Any]) -> dict[str, Any]:
    named = {"type": "function", "name": handoff.tool_name, "description": handoff.tool_description}
    return named | {"parameters": handoff.input_json_schema}


def plain(value: Any) -> Any:
    """Return `value` as JSON has it: a copy, with models of pydantic as objects."""

    def dumped(one: Any) -> Any:
        return one.model_dump(mode="json", exclude_unset=True) if isinstance(one, BaseModel) else str(one)

    return json.loads(json.dumps(value, default=dumped))
