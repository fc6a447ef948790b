"""`/v1/chat/completions` and `/v1/responses` in front of one TextModel: both ask the same question in two spellings.

A request is turned into chat messages and flat tools; the reply is spelt as the `openai` package parses it, whole or as
server-sent events. Parameters that mean nothing to a model without sampling (temperature, seed, ...) are taken and
ignored. Nothing is stored: `previous_response_id` and the like are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rtbridge.engine import shapes as s
from rtbridge.engine.parts import Call, TextReply
from rtbridge.engine.usage import text_tokens
from rtbridge.errors import BadRequest

MAX_MESSAGES: Final = 2_000
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What TextModel.respond is asked."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    model: str
    response_format: dict[str, Any] | None
    stream: bool

    @property
    def tokens(self) -> int:
        """Return the tokens of the messages' text."""
        return sum(text_tokens(str(message.get("content") or "")) for message in self.messages)


def _object(body: Any) -> dict[str, Any]:
    found: dict[str, Any] = s.any_object(body, "body")
    return found


def _text(content: Any, path: str) -> str:
    """Return the text of message content: a string, or a list of text parts."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = s.listing(s.any_object)(content, path)
    for index, part in enumerate(parts):
        if part.get("type") not in ("text", "input_text", "output_text", "refusal"):
            raise s.invalid(f"{path}[{index}].type", "This engine's text model reads text only.")
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in parts)


def _role(role: Any, path: str) -> str:
    s.choice("system", "developer", "user", "assistant", "tool")(role, path)
    return "system" if role == "developer" else str(role)


def _call_message(calls: list[dict[str, Any]], text: str = "") -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": calls}


def _tool(tool: Any, path: str) -> dict[str, Any]:
    flat = _object(tool)
    if flat.get("type") != "function":
        raise s.wrong_choice(str(flat.get("type")), f"{path}.type", ("function",))
    flat = flat.get("function", flat)  # chat completions nest, responses do not
    if not isinstance(flat, dict) or not isinstance(flat.get("name"), str):
        raise s.missing(f"{path}.name")
    given = {key: flat.get(key) for key in ("description", "parameters")}
    return {"type": "function", "name": flat["name"], "description": "", "parameters": {}} | {
        key: value for key, value in given.items() if value is not None
    }


def _tools(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    tools = s.listing(s.any_object, most=128)(body.get("tools") or [], "tools")
    return [] if body.get("tool_choice") == "none" else [_tool(t, f"tools[{i}]") for i, t in enumerate(tools)]


def _format(given: Any, path: str) -> dict[str, Any] | None:
    if given is None or given.get("type") == "text":
        return None
    s.choice("json_object", "json_schema")(given.get("type"), f"{path}.type")
    if given["type"] == "json_object":
        return {"type": "json_object"}
    flat = given.get("json_schema", given)
    return {"type": "json_schema", "name": flat.get("name", ""), "schema": flat.get("schema") or {}}


def chat_question(body: Any) -> Question:
    """Read the body of `POST /v1/chat/completions`. Raises BadRequest."""
    body = _object(body)
    if "messages" not in body:
        raise s.missing("messages")
    messages = []
    for index, given in enumerate(s.listing(s.any_object, most=MAX_MESSAGES)(body["messages"], "messages")):
        path = f"messages[{index}]"
        message = {
            "role": _role(given.get("role"), f"{path}.role"),
            "content": _text(given.get("content"), path),
        }
        messages.append(
            message | {key: given[key] for key in ("tool_calls", "tool_call_id") if given.get(key)}
        )
    return Question(
        messages,
        _tools(body),
        str(body.get("model") or ""),
        _format(body.get("response_format"), "response_format"),
        bool(body.get("stream")),
    )


def responses_question(body: Any) -> Question:
    """Read the body of `POST /v1/responses`. Raises BadRequest."""
    body = _object(body)
    for stored in ("previous_response_id", "conversation", "prompt"):
        if body.get(stored) is not None:
            raise BadRequest(
                f"'{stored}' is not supported: this engine stores no responses. Send the whole input.",
                code="unsupported_parameter",
                param=stored,
            )
    given = body.get("input", "")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    messages: list[dict[str, Any]] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": str(body["instructions"])})
    for index, item in enumerate(s.listing(s.any_object, most=MAX_MESSAGES)(items, "input")):
        message = _message_of(item, f"input[{index}]")
        if message is not None:
            messages.append(message)
    text = body.get("text") or {}
    return Question(
        messages,
        _tools(body),
        str(body.get("model") or ""),
        _format(text.get("format"), "text.format"),
        bool(body.get("stream")),
    )


def _message_of(item: dict[str, Any], path: str) -> dict[str, Any] | None:
    kind = item.get("type", "message")
    if kind == "message":
        return {"role": _role(item.get("role"), f"{path}.role"), "content": _text(item.get("content"), path)}
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        return _call_message([{"id": item.get("call_id"), "type": "function", "function": function}])
    if kind == "function_call_output":
        return {
            "role": "tool",
            "tool_call_id": item.get("call_id"),
            "content": _text(item.get("output"), path),
        }
    if kind == "reasoning":
        return None
    raise s.wrong_choice(
        str(kind), f"{path}.type", ("message", "function_call", "function_call_output", "reasoning")
    )


# -- chat completions -----------------------------------------------------------------------------------------
class ChatAnswer:
    """A reply spelt as a chat completion."""

    def __init__(
        self, question: Question, reply: TextReply, new_id: Callable[[str], str], created: int
    ) -> None:
        """Spell `reply`; `created` is the wall time in whole seconds since 1970 that the API's field asks for."""
        self._question = question
        self._reply = reply
        self._head = {"id": new_id("chatcmpl"), "created": created, "model": question.model}
        self._calls = [
            {
                "id": new_id("call"),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments_json},
            }
            for call in reply.calls
        ]
        self._finish = "tool_calls" if reply.calls else "stop"

    def _usage(self) -> dict[str, int]:
        said, asked = _reply_tokens(self._reply), self._question.tokens
        return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}

    def whole(self) -> Event:
        """Return the `chat.completion` object."""
        message: dict[str, Any] = {"role": "assistant", "content": self._reply.text or None, "refusal": None}
        if self._calls:
            message["tool_calls"] = self._calls
        choice = {"index": 0, "message": message, "finish_reason": self._finish, "logprobs": None}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage()}

    def stream(self, *, include_usage: bool) -> Iterator[Event]:
        """Yield the `chat.completion.chunk` objects."""

        def chunk(delta: Event, finish: str | None = None) -> Event:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

        yield chunk({"role": "assistant", "content": "" if self._reply.text else None})
        if self._reply.text:
            yield chunk({"content": self._reply.text})
        for index, call in enumerate(self._calls):
            yield chunk({"tool_calls": [{"index": index, **call}]})
        yield chunk({}, self._finish)
        if include_usage:
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage()}


def _reply_tokens(reply: TextReply) -> int:
    return text_tokens(reply.text) + sum(text_tokens(call.name + call.arguments_json) for call in reply.calls)


# -- responses ------------------------------------------------------------------------------------------------
class ResponsesAnswer:
    """A reply spelt as a response of the Responses API."""

    def __init__(
        self,
        question: Question,
        body: Mapping[str, Any],
        reply: TextReply,
        new_id: Callable[[str], str],
        created: int,
    ) -> None:
        """Spell `reply`; `body` is the request, some of which is echoed. `created` as for ChatAnswer."""
        self._question = question
        self._reply = reply
        self._head: Event = {
            "id": new_id("resp"),
            "object": "response",
            "created_at": created,
            "model": question.model,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": body.get("metadata") or {},
            "parallel_tool_calls": bool(body.get("parallel_tool_calls", True)),
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [{"strict": None, **tool} for tool in question.tools],
            "text": body.get("text") or {"format": {"type": "text"}},
            "temperature": body.get("temperature"),
            "top_p": body.get("top_p"),
            "max_output_tokens": body.get("max_output_tokens"),
            "truncation": body.get("truncation") or "disabled",
            "reasoning": {"effort": None, "summary": None},
        }
        self._output = [self._message(new_id("msg"))] if reply.text or not reply.calls else []
        self._output += [self._call(call, new_id) for call in reply.calls]

    def _message(self, item_id: str) -> Event:
        part = {"type": "output_text", "text": self._reply.text, "annotations": [], "logprobs": []}
        return {
            "id": item_id,
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }

    @staticmethod
    def _call(call: Call, new_id: Callable[[str], str]) -> Event:
        head = {"id": new_id("fc"), "type": "function_call", "status": "completed", "call_id": new_id("call")}
        return {**head, "name": call.name, "arguments": call.arguments_json}

    def _usage(self) -> Event:
        said, asked = _reply_tokens(self._reply), self._question.tokens
        return {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + said,
        }

    def whole(self) -> Event:
        """Return the `response` object."""
        return {**self._head, "status": "completed", "output": self._output, "usage": self._usage()}

    def stream(self) -> Iterator[Event]:
        """Yield the events of a streamed response, numbered."""
        for number, event in enumerate(self._events()):
            yield {**event, "sequence_number": number}

    def _events(self) -> Iterator[Event]:
        begun = {**self._head, "status": "in_progress", "output": [], "usage": None}
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        for index, item in enumerate(self._output):
            empty: Event = {"content": []} if item["type"] == "message" else {"arguments": ""}
            at = {"output_index": index}
            yield {
                "type": "response.output_item.added",
                **at,
                "item": {**item, "status": "in_progress", **empty},
            }
            yield from (
                self._message_events(item, at) if item["type"] == "message" else self._call_events(item, at)
            )
            yield {"type": "response.output_item.done", **at, "item": item}
        yield {"type": "response.completed", "response": self.whole()}

    @staticmethod
    def _message_events(item: Event, at: Event) -> Iterator[Event]:
        part = item["content"][0]
        at = {**at, "item_id": item["id"], "content_index": 0}
        yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
        yield {"type": "response.output_text.delta", **at, "delta": part["text"], "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": part}

    @staticmethod
    def _call_events(item: Event, at: Event) -> Iterator[Event]:
        at = {**at, "item_id": item["id"]}
        yield {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]}
        yield {
            "type": "response.function_call_arguments.done",
            **at,
            "name": item["name"],
            "arguments": item["arguments"],
        }
