"""A strict Realtime server in plain Python, the far end of a Call under test.

It answers with scripted parts, generates faster than speech, and counts every protocol error a real server would
report. Each item's audio is one constant sample value, so what an ear recorded says which item it was.
"""

from __future__ import annotations

import base64
import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rtbridge.core import pcm
from rtbridge.core.requests import merged

Wire = dict[str, Any]
CHUNK_MS = 100
MAX_HEARD_BYTES = pcm.samples_of_ms(60_000) * pcm.SAMPLE_BYTES
LOUDER = 1_000  # what an item sounds at is its tag and so much more: it can be heard


@dataclass(frozen=True)
class Say:
    """A spoken message item."""

    text: str
    ms: int


@dataclass(frozen=True)
class Use:
    """A function call."""

    name: str
    arguments: str = "{}"


@dataclass(frozen=True)
class Fail:
    """The response ends here, badly."""

    code: str = "server_error"
    status: str = "failed"


@dataclass(frozen=True)
class Hang:
    """The response says nothing from here on and never ends, unless it is cancelled."""


@dataclass(frozen=True)
class Refuse:
    """response.create is answered with this error."""

    code: str


@dataclass(frozen=True)
class Ignore:
    """response.create is not answered at all."""


Part = Say | Use | Fail | Hang | Refuse | Ignore


@dataclass
class FarItem:
    """An item as the upstream keeps it."""

    kind: str
    role: str = ""
    text: str = ""
    audio_ms: int = 0
    truncated_ms: int | None = None
    done: bool = True


@dataclass
class FarResponse:
    """A response being made."""

    response_id: str
    parts: deque[Part]
    born: bool = False
    aside: bool = False  # conversation "none": its items are not the conversation's
    item_id: str = ""
    sent_ms: int = 0
    credit_ms: float = 0.0
    said_words: int = 0


@dataclass
class FarUpstream:
    """A strict Realtime server: one active response, known items, no truncation over length."""

    speedup: float = 6.0
    cancel_delay_ms: int = 0
    ack_delay_ms: int = 0
    birth_delay_ms: int = 0
    commit_delay_ms: int = 0
    deaf_to_cancel: bool = False
    items: dict[str, FarItem] = field(default_factory=dict)
    asides: dict[str, FarItem] = field(default_factory=dict)  # said beside the conversation
    answers: deque[list[Part]] = field(default_factory=deque)
    errors: list[str] = field(default_factory=list)
    received: list[Wire] = field(default_factory=list)
    active: FarResponse | None = None
    tags: dict[int, str] = field(default_factory=dict)
    session: Wire = field(default_factory=dict)
    speaking: bool = False  # it hears the caller
    unacked: int = 0
    keeps_tool_choice: bool = False  # a model told to call no tools calls none
    contexts: list[list[str]] = field(default_factory=list)  # the items that each response.create found
    heard: bytearray = field(default_factory=bytearray)  # since the last commit or clear
    turns: list[bytes] = field(default_factory=list)  # what each commit of a client made a turn of
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _later: list[tuple[float, Wire]] = field(default_factory=list)
    _now_ms: float = 0.0

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._ids)}"

    def error(self, event: Wire, code: str) -> list[Wire]:
        self.errors.append(code)
        return [
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "code": code,
                    "message": code,
                    "event_id": event.get("event_id"),
                },
            }
        ]

    def append(self, chunk: bytes) -> None:
        """Hear some audio (event input_audio_buffer.append)."""
        self.heard += chunk
        del self.heard[:-MAX_HEARD_BYTES]

    def take(self, event: Wire) -> list[Wire]:
        """Answer one client event."""
        self.received.append(event)
        match event["type"]:
            case "session.update":
                detection = event["session"].get("audio", {}).get("input", {}).get("turn_detection") or {}
                if event["session"].get("type") != "realtime":
                    return self.error(event, "missing_required_parameter")
                if detection.get("create_response", False) or detection.get("interrupt_response", False):
                    return self.error(event, "the arbiter alone creates and interrupts")
                if self.active is not None and set(event["session"]) - {"type", "audio"}:
                    return self.error(event, "session.update while a response is active")
                self.session = merged(self.session, event["session"])
                self.unacked += 1
                return self._after(self.ack_delay_ms, {"type": "session.updated", "session": self.session})
            case "conversation.item.create":
                item = event["item"]
                item_id = item.get("id") or self.new_id("item")
                if item_id in self.items:
                    return self.error(event, "item_already_exists")
                text = item.get("output") or item.get("content", [{}])[0].get("text", "")
                self.items[item_id] = FarItem(item["type"], item.get("role", ""), text)
                return [
                    {"type": kind, "item": {"id": item_id, "status": "completed", **item}}
                    for kind in ("conversation.item.added", "conversation.item.done")
                ]
            case "conversation.item.delete":
                if self.items.pop(event["item_id"], None) is None:
                    return self.error(event, "item_delete_invalid_item_id")
                return [{"type": "conversation.item.deleted", "item_id": event["item_id"]}]
            case "conversation.item.truncate":
                found = self.items.get(event["item_id"])
                if found is None:
                    return self.error(event, "item_truncate_invalid_item_id")
                if event["audio_end_ms"] > found.audio_ms:
                    return self.error(event, "item_truncate_invalid_audio_end_ms")
                found.truncated_ms = event["audio_end_ms"]
                return [{**event, "type": "conversation.item.truncated"}]
            case "response.create":
                if self.active is not None:
                    return self.error(event, "conversation_already_has_active_response")
                if self.speaking:
                    self.errors.append("response.create while the caller speaks")
                if self.unacked:
                    self.errors.append("response.create before session.updated")
                options = event.get("response", {})
                aside = options.get("conversation") == "none"
                parts: list[Part]
                if aside:
                    assert options["tools"] == []
                    words = str(options["instructions"]).split('"')[1]
                    parts = [Say(words, 300 * len(words.split()))]
                else:
                    self.contexts.append(list(self.items))
                    parts = self.answers.popleft() if self.answers else [Say("Yes?", 600)]
                    if self.keeps_tool_choice and options.get("tool_choice") == "none":
                        parts = [part for part in parts if not isinstance(part, Use)] or [
                            Say("Goodbye.", 400)
                        ]
                if parts and isinstance(parts[0], Refuse):
                    refusal = self.error(event, parts[0].code)
                    self.errors.pop()  # not the bridge's doing
                    return refusal
                if parts and isinstance(parts[0], Ignore):
                    return []
                self.active = FarResponse(self.new_id("resp"), deque(parts), aside=aside)
                return self._after(self.birth_delay_ms, {"type": "_birth", "id": self.active.response_id})
            case "response.cancel":
                if self.active is None or self.active.response_id != event["response_id"]:
                    return self.error(event, "response_cancel_not_active")
                if self.deaf_to_cancel:
                    return []
                return self._after(self.cancel_delay_ms, {"type": "_cancel", "id": self.active.response_id})
            case "input_audio_buffer.commit" | "input_audio_buffer.clear":
                self.speaking = False
                said = bytes(self.heard)
                self.heard.clear()
                if event["type"].endswith("clear"):
                    return [{"type": "input_audio_buffer.cleared"}]
                item_id = self.new_id("said")
                self.turns.append(said)
                self.items[item_id] = FarItem("message", "user")
                return self._after(
                    self.commit_delay_ms, {"type": "input_audio_buffer.committed", "item_id": item_id}
                )
        return self.error(event, "unknown_event")

    def _after(self, delay_ms: int, event: Wire) -> list[Wire]:
        self._later.append((self._now_ms + delay_ms, event))
        return [] if delay_ms else self._due()

    def _due(self) -> list[Wire]:
        due = [event for at, event in self._later if at <= self._now_ms]
        self._later = [(at, event) for at, event in self._later if at > self._now_ms]
        result: list[Wire] = []
        for event in due:
            self.unacked -= event["type"] == "session.updated"
            match event["type"]:
                case "_cancel":
                    result += self._cancelled(event["id"])
                case "_birth":
                    assert self.active is not None
                    self.active.born = True
                    result.append({"type": "response.created", "response": {"id": event["id"], "output": []}})
                case _:
                    result.append(event)
        return result

    def _cancelled(self, response_id: str) -> list[Wire]:
        if self.active is None or self.active.response_id != response_id:
            return []
        item_id = self.active.item_id
        self.active = None
        done = {"id": response_id, "status": "cancelled", "status_details": {"reason": "client_cancelled"}}
        result = [{"type": "response.done", "response": done}]
        if item_id:
            self._item(item_id).done = True
            item = {"id": item_id, "type": "message", "role": "assistant", "status": "incomplete"}
            result.insert(0, {"type": "response.output_item.done", "response_id": response_id, "item": item})
        return result

    def _item(self, item_id: str) -> FarItem:
        return self.items.get(item_id) or self.asides[item_id]

    def generate(self, ms: float) -> list[Wire]:
        """Make `ms` of time's worth of the active response."""
        self._now_ms += ms
        result = self._due()
        if self.active is None or not self.active.born:
            return result
        self.active.credit_ms += ms * self.speedup
        while self.active is not None and self.active.credit_ms > 0:
            result += self._step(self.active)
        return result

    def _step(self, response: FarResponse) -> list[Wire]:
        rid = response.response_id
        if not response.parts:
            self.active = None
            return [{"type": "response.done", "response": {"id": rid, "status": "completed", "output": []}}]
        part = response.parts[0]
        if isinstance(part, Hang):
            response.credit_ms = 0
            return []
        if isinstance(part, Fail):
            self.active = None
            details = (
                {"reason": "max_output_tokens"}
                if part.status == "incomplete"
                else {"error": {"code": part.code}}
            )
            return [
                {
                    "type": "response.done",
                    "response": {"id": rid, "status": part.status, "status_details": details},
                }
            ]
        if isinstance(part, Use):
            response.parts.popleft()
            item_id = self.new_id("item")
            self.items[item_id] = FarItem("function_call")
            item = {
                "id": item_id,
                "type": "function_call",
                "call_id": self.new_id("call"),
                "name": part.name,
                "arguments": part.arguments,
                "status": "completed",
            }
            return [
                {
                    "type": "response.output_item.added",
                    "response_id": rid,
                    "item": {**item, "status": "in_progress"},
                },
                {"type": "response.output_item.done", "response_id": rid, "item": item},
            ]
        result: list[Wire] = []
        if not response.item_id:
            response.item_id = item_id = self.new_id("item")
            keep = self.asides if response.aside else self.items
            keep[item_id] = FarItem("message", "assistant", done=False)
            self.tags[len(self.tags) + 1] = item_id
            response.sent_ms = response.said_words = 0
            opened: Wire = {
                "id": item_id,
                "type": "message",
                "role": "assistant",
                "status": "in_progress",
                "content": [],
            }
            result.append({"type": "response.output_item.added", "response_id": rid, "item": opened})
            if not response.aside:
                result.append({"type": "conversation.item.added", "item": opened})
        assert isinstance(part, Say)
        item_id = response.item_id
        ids = {"response_id": rid, "item_id": item_id, "content_index": 0, "output_index": 0}
        words = part.text.split(" ")
        while response.said_words < len(words) and response.said_words * part.ms <= response.sent_ms * len(
            words
        ):
            word = (" " if response.said_words else "") + words[response.said_words]
            result.append({"type": "response.output_audio_transcript.delta", **ids, "delta": word})
            response.said_words += 1
        chunk_ms = min(CHUNK_MS, part.ms - response.sent_ms)
        tag = next(tag for tag, tagged in self.tags.items() if tagged == item_id)
        samples = (LOUDER + tag).to_bytes(2, "little") * pcm.samples_of_ms(chunk_ms)
        result.append(
            {"type": "response.output_audio.delta", **ids, "delta": base64.b64encode(samples).decode()}
        )
        response.sent_ms += chunk_ms
        response.credit_ms -= chunk_ms
        self._item(item_id).audio_ms = response.sent_ms
        if response.sent_ms >= part.ms:
            self._item(item_id).done = True
            response.parts.popleft()
            response.item_id = ""
            item = {"id": item_id, "type": "message", "role": "assistant", "status": "completed"}
            result += [
                {"type": "response.output_audio.done", **ids},
                {"type": "response.output_audio_transcript.done", **ids, "transcript": part.text},
                {"type": "response.output_item.done", "response_id": rid, "item": item},
            ]
        return result
