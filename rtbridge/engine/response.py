"""One response: the order of events from `response.created` to `response.done`, whatever ends it.

That order lives in this file and nowhere else. A response is fed text, audio and calls; it emits events through the
function it was given. Once it is over nobody may feed it: `responses.py` lets go of it then, so that no delta can
follow a cancellation.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rtbridge.core import pcm as audio
from rtbridge.engine import usage
from rtbridge.engine.items import Item


class Emit(Protocol):
    """Sends server events."""

    def __call__(self, type_: str, /, **fields: Any) -> None:
        """Emit one event of type `type_`; its event id is added."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What a response was asked to be: the session's settings with those of `response.create` over them."""

    conversation_id: str | None  # None is out-of-band: `conversation: "none"`
    modality: str  # "audio" | "text"
    voice: str
    speed: float
    max_output_tokens: int | str
    metadata: dict[str, str] | None
    instructions: str
    response_instructions: str | None
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any]
    prompt_id: str | None


class Response:
    """A response being made. Nothing may be called but `done` once it is `over`."""

    def __init__(
        self,
        response_id: str,
        options: Options,
        *,
        emit: Emit,
        new_id: Callable[[str], str],
        place: Callable[[Item], str | None] | None,
    ) -> None:
        """Emit `response.created`.

        `place` puts an item into the conversation and returns the id before it; None when out-of-band.
        """
        self.id = response_id
        self.options = options
        self.output: list[Item] = []
        self.over = False
        self._status = "in_progress"
        self._details: dict[str, Any] | None = None
        self._emit = emit
        self._new_id = new_id
        self._place = place
        self._open: Item | None = None  # the message that deltas go to
        self._previous: str | None = None  # the item before it in the conversation
        emit("response.created", response=self._shown(None))

    @property
    def audio_samples(self) -> int:
        """Return how much audio it has put out."""
        return sum(item.samples for item in self.output)

    def _shown(self, used: dict[str, Any] | None) -> dict[str, Any]:
        options = self.options
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self._status,
            "status_details": self._details,
            "output": [item.shown() for item in self.output],
            "conversation_id": options.conversation_id,
            "output_modalities": [options.modality],
            "audio": {
                "output": {"format": {"type": "audio/pcm", "rate": audio.RATE}, "voice": options.voice}
            },
            "max_output_tokens": options.max_output_tokens,
            "metadata": options.metadata,
            "usage": used,
        }

    # -- the item that is being made --------------------------------------------------------------------------
    def _item_event(self, type_: str, **fields: Any) -> None:
        index = len(self.output) - 1
        item_id = self.output[-1].id
        self._emit(type_, response_id=self.id, item_id=item_id, output_index=index, **fields)

    def _part_event(self, type_: str, **fields: Any) -> None:
        self._item_event(type_, content_index=0, **fields)

    def _begin_item(self, wire: dict[str, Any]) -> Item:
        status = {"id": self._new_id("item"), "object": "realtime.item", "status": "in_progress"}
        item = Item({**status, **wire})
        self.output.append(item)
        index = len(self.output) - 1
        self._emit("response.output_item.added", response_id=self.id, output_index=index, item=item.shown())
        if self._place is not None:
            self._previous = self._place(item)
            self._emit("conversation.item.added", previous_item_id=self._previous, item=item.shown())
        return item

    def _end_item(self, status: str) -> None:
        item = self.output[-1]
        item.wire["status"] = status
        if self._place is not None:
            self._emit("conversation.item.done", previous_item_id=self._previous, item=item.shown())
        index = len(self.output) - 1
        self._emit("response.output_item.done", response_id=self.id, output_index=index, item=item.shown())

    def begin_message(self) -> None:
        """Open an assistant message of the response's modality."""
        if self.options.modality == "audio":
            content, part = {"type": "output_audio", "transcript": ""}, {"type": "audio", "transcript": ""}
        else:
            content, part = {"type": "output_text", "text": ""}, {"type": "text", "text": ""}
        # GA events show the item without content until its part is added.
        self._open = self._begin_item({"type": "message", "role": "assistant", "content": []})
        self._open.wire["content"] = [content]
        self._part_event("response.content_part.added", part=part)

    def speak(self, text: str, pcm: bytes) -> None:
        """Put out audio and before it the text that begins to sound with it; either may be empty."""
        assert self._open is not None, "begin_message comes first"
        self._open.append_audio(pcm, text)
        if text:
            self._part_event("response.output_audio_transcript.delta", delta=text)
        if pcm:
            self._part_event("response.output_audio.delta", delta=base64.b64encode(pcm).decode("ascii"))
        self._stop_at_limit()

    def write(self, text: str) -> None:
        """Put out text of a text response."""
        assert self._open is not None, "begin_message comes first"
        self._open.wire["content"][0]["text"] += text
        self._part_event("response.output_text.delta", delta=text)
        self._stop_at_limit()

    def end_message(self, status: str = "completed") -> None:
        """Close the open message, if there is one."""
        if self._open is None:
            return
        part = self._open.wire["content"][0]
        self._open = None
        if part["type"] == "output_audio":
            self._part_event("response.output_audio.done")
            self._part_event("response.output_audio_transcript.done", transcript=part["transcript"])
            shown = {"type": "audio", "transcript": part["transcript"]}
        else:
            self._part_event("response.output_text.done", text=part["text"])
            shown = {"type": "text", "text": part["text"]}
        self._part_event("response.content_part.done", part=shown)
        self._end_item(status)

    def call(self, name: str, arguments: str) -> None:
        """Put out one whole function call."""
        call_id = self._new_id("call")
        item = self._begin_item({"type": "function_call", "call_id": call_id, "name": name, "arguments": ""})
        item.wire["arguments"] = arguments
        self._item_event("response.function_call_arguments.delta", call_id=call_id, delta=arguments)
        self._item_event(
            "response.function_call_arguments.done", call_id=call_id, name=name, arguments=arguments
        )
        self._end_item("completed")
        self._stop_at_limit()

    # -- the end ----------------------------------------------------------------------------------------------
    def _stop_at_limit(self) -> None:
        most = self.options.max_output_tokens
        if isinstance(most, int) and usage.output_tokens(self.output) > most:
            self.end("incomplete", reason="max_output_tokens")

    def end(self, status: str, *, reason: str | None = None, error: dict[str, Any] | None = None) -> None:
        """End it: "completed", "cancelled", "incomplete" or "failed". What was sent stays, as an incomplete item."""
        self.end_message("completed" if status == "completed" else "incomplete")
        self._status = status
        if status != "completed":
            given = {"type": status, "reason": reason, "error": error}
            self._details = {key: value for key, value in given.items() if value is not None}
        self.over = True

    def done(self, context: list[Item]) -> None:
        """Emit `response.done` with its usage, and the rate limits: the engine has none, so the list is empty."""
        prompt = self.options.instructions + (self.options.response_instructions or "")
        self._emit("response.done", response=self._shown(usage.usage(prompt, context, self.output)))
        self._emit("rate_limits.updated", rate_limits=[])
