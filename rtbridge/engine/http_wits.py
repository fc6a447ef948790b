"""Wits from any OpenAI-compatible text endpoint, in place of the offline lines.

One chat completion per response, not streamed: the voice starts with the first sentence anyway, and the
turn is a plain function of the conversation. Sync, because wits run in executor threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from openai import OpenAI, OpenAIError

from rtbridge.engine.parts import Act, Call, Say, TextReply, Turn
from rtbridge.errors import Unavailable

TIMEOUT_S: Final = 20.0
SPOKEN: Final = (
    "You are heard, not read: answer in a sentence or two of plain words, without lists or markup."
)


class HttpWits:
    """`parts.Wits` and `parts.TextModel` by way of chat completions."""

    def __init__(self, base_url: str, model: str, api_key: str | None) -> None:
        """Talk to `base_url`. Nothing is sent before the first answer."""
        self._client = OpenAI(base_url=base_url, api_key=api_key or "none", timeout=TIMEOUT_S, max_retries=1)
        self._model = model

    def close(self) -> None:
        """Close the connections; idempotent."""
        self._client.close()

    def answer(self, turn: Turn) -> list[Act]:
        """Return the acts of one response. Raises Unavailable when the endpoint fails."""
        system = "\n\n".join(part for part in (turn.instructions, turn.response_instructions, SPOKEN) if part)
        messages = [{"role": "system", "content": system}, *chat_messages(turn.items)]
        reply = self._complete(messages, turn.tools, turn.tool_choice, self._model, None)
        return [*([Say(reply.text)] if reply.text else []), *reply.calls]

    def respond(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> TextReply:
        """Answer a chat; see `parts.TextModel.respond`. The endpoint's own model is used, whatever is asked."""
        return self._complete(list(messages), tools, "auto", self._model, response_format)

    def _complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        tool_choice: str | Mapping[str, Any],
        model: str,
        response_format: Mapping[str, Any] | None,
    ) -> TextReply:
        body: dict[str, Any] = {"model": model, "messages": messages}
        if tools:
            body["tools"] = [
                {"type": "function", "function": {key: one for key, one in tool.items() if key != "type"}}
                for tool in tools
            ]
            body["tool_choice"] = (
                {"type": "function", "function": {"name": tool_choice["name"]}}
                if isinstance(tool_choice, Mapping)
                else tool_choice
            )
        if response_format and response_format.get("type") == "json_schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {key: one for key, one in response_format.items() if key != "type"},
            }
        elif response_format:
            body["response_format"] = dict(response_format)
        try:
            completion = self._client.chat.completions.create(**body)
        except OpenAIError as e:
            raise Unavailable(
                f"the text endpoint {self._client.base_url} did not answer: {e}", code="brain_unavailable"
            ) from e
        if not completion.choices:
            raise Unavailable(
                f"the text endpoint {self._client.base_url} answered without choices",
                code="brain_unavailable",
            )
        message = completion.choices[0].message
        calls = tuple(
            Call(call.function.name, call.function.arguments or "{}")
            for call in message.tool_calls or ()
            if call.type == "function"
        )
        return TextReply((message.content or "").strip(), calls)


def chat_messages(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return Realtime conversation items as chat completions messages."""
    messages: list[dict[str, Any]] = []
    for item in items:
        match item.get("type"):
            case "message":
                parts = (
                    part.get("text") or part.get("transcript") or "" for part in item.get("content") or ()
                )
                text = " ".join(part for part in parts if part)
                if text:
                    messages.append({"role": item.get("role"), "content": text})
            case "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
                call = {"id": item.get("call_id"), "type": "function", "function": function}
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case "function_call_output":
                messages.append(
                    {
                        "role": "tool",
                        "tool_call_id": item.get("call_id"),
                        "content": str(item.get("output") or ""),
                    }
                )
    return messages
