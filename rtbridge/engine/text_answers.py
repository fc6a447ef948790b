"""A TextReply spelt as the `openai` package parses it: chat completions and responses, whole or as streamed events.

Token counts follow the rules of `usage.py`; nothing is cached and nothing reasons, so those counts are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rtbridge.engine.parts import Call, TextReply
from rtbridge.engine.text_api import Question
from rtbridge.engine.usage import text_tokens

Event = dict[str, Any]


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
        text = None if self._calls and not self._reply.text else self._reply.text
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
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
