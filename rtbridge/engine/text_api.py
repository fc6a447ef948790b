"""`/v1/chat/completions` and `/v1/responses` in front of one TextModel: both ask the same question in two spellings.

A request is turned into chat messages and flat tools; `text_answers.py` spells the reply. Parameters that mean
nothing to a model without sampling (temperature, seed, ...) are taken and ignored. Nothing is stored:
`previous_response_id` and the like are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rtbridge.engine import shapes as s
from rtbridge.engine.usage import text_tokens
from rtbridge.errors import BadRequest

MAX_MESSAGES: Final = 2_000
AGENT_LABEL: Final = (
    "rtbridge_agent"  # in a request's metadata: "<scenario>/<agent>", whose lines shall answer
)


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
    s.nullable(s.any_object)(given, path)
    if given is None or given.get("type") == "text":
        return None
    s.choice("json_object", "json_schema")(given.get("type"), f"{path}.type")
    if given["type"] == "json_object":
        return {"type": "json_object"}
    flat = s.any_object(given.get("json_schema", given), f"{path}.json_schema")
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
    if not messages:
        raise s.invalid("messages", "Expected at least one message.")
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
    text = s.any_object(body.get("text") or {}, "text")
    if not messages:
        raise s.missing("input")
    return Question(
        messages,
        _tools(body),
        _model(body),
        _format(text.get("format"), "text.format"),
        bool(body.get("stream")),
    )


def _model(body: Mapping[str, Any]) -> str:
    """Return who is asked: the agent that our bridge's metadata names, else the model."""
    metadata = s.nullable(s.any_object)(body.get("metadata"), "metadata") or {}
    return str(metadata.get(AGENT_LABEL) or body.get("model") or "")


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
