"""The protocol state of one realtime connection, without I/O and without a clock.

Client events go into `receive`; server events and jobs come out of `drain`, in order; what a job found goes back into
`hearing` and `responses`. Everything the API refuses is refused here, by the parts this composes or by the shapes in
`events.py`, with the API's own codes. Time is samples heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from rtbridge.core import pcm as audio
from rtbridge.engine import events, session_config
from rtbridge.engine.hearing import Hearing
from rtbridge.engine.items import Item, Items
from rtbridge.engine.outbox import Job, Outbox, Study
from rtbridge.engine.parts import Vad, VadConfig
from rtbridge.engine.responses import Responses
from rtbridge.errors import BadRequest

STEP_BYTES: Final = audio.samples_of_ms(500) * audio.SAMPLE_BYTES


class Conversation:
    """One connection's session, items, hearing and responses."""

    def __init__(
        self,
        *,
        new_id: Callable[[str], str],
        make_vad: Callable[[VadConfig], Vad],
        model: str,
        prompt_id: str | None = None,
    ) -> None:
        """Emit `session.created`. `new_id("item")` makes ids; `prompt_id` becomes `session.prompt.id`."""
        self._outbox = Outbox(new_id)
        self._emit = self._outbox.emit
        self._items = Items()
        self.session = session_config.new_session(new_id("sess"), model, prompt_id)
        self.hearing = Hearing(self, self._outbox, make_vad)
        self.responses = Responses(self, self._outbox, new_id("conv"))
        self.hearing.configure()
        self._emit("session.created", session=self.session)

    def drain(self) -> tuple[list[dict[str, Any]], list[Job]]:
        """Return the server events and jobs since the last drain, each in order."""
        return self._outbox.drain()

    def refuse(self, error: BadRequest, event_id: str | None) -> None:
        """Emit `error` about the client event `event_id`, or about nothing that the client sent."""
        self.hearing.refuse(error, event_id)

    def receive(self, event: dict[str, Any]) -> None:
        """Obey a client event of any shape, or emit `error` with its event id."""
        for _ in self.steps(event):
            pass

    def steps(self, event: dict[str, Any]) -> Iterator[None]:
        """Do what `receive` does in steps short enough for an event loop: half a second of audio each."""
        try:
            good = events.checked(event)
            if good["type"] == "input_audio_buffer.append":
                pcm = events.audio_of(good["audio"], "audio")
                self.hearing.check_room(pcm)
                for start in range(0, len(pcm), STEP_BYTES):
                    self.hearing.append(pcm[start : start + STEP_BYTES])
                    yield
            else:
                _HANDLERS[good["type"]](self, good)
                yield
        except BadRequest as error:
            self.refuse(error, events.event_id_of(event))
            yield

    # -- session and input buffer -----------------------------------------------------------------------------
    def _session_update(self, event: dict[str, Any]) -> None:
        update = event["session"]
        self.responses.check_voice(update.get("audio", {}).get("output", {}), "session.audio.output.voice")
        self.session = session_config.merged(self.session, update)
        self.hearing.configure()
        self._emit("session.updated", session=self.session)
        if update.get("tools"):
            prompt = self.session.get("prompt") or {}
            self._outbox.ask(Study(prompt.get("id"), self.session["tools"]))

    def _commit(self, event: dict[str, Any]) -> None:
        self.hearing.commit_by_hand()

    def _clear(self, event: dict[str, Any]) -> None:
        self.hearing.clear()

    # -- items ------------------------------------------------------------------------------------------------
    def _item_create(self, event: dict[str, Any]) -> None:
        wire = event["item"]
        if wire["type"] == "function_call_output" and not any(
            item.wire["type"] == "function_call" and item.wire["call_id"] == wire["call_id"]
            for item in self._items
        ):
            raise BadRequest(
                f"Tool call ID '{wire['call_id']}' not found in conversation.",
                code="invalid_tool_call_id",
                param="item.call_id",
            )
        item = self._item_of(wire, "item")
        self.place_done(item, event.get("previous_item_id") or None)
        self.hearing.transcribe(item, tell=False)

    def _item_of(self, wire: dict[str, Any], path: str) -> Item:
        """Return the item that a client gave, its audio decoded and taken out of the wire shape."""
        item_id = wire.get("id") or self._outbox.new_id("item")
        rest = {key: value for key, value in wire.items() if key not in ("id", "object", "status")}
        item = Item({"id": item_id, "object": "realtime.item", "status": "completed", **rest})
        if wire["type"] == "function_call":
            item.wire.setdefault("call_id", self._outbox.new_id("call"))
        for index, part in enumerate(item.wire.get("content", ())):
            if part["type"] == "input_audio":
                item.pcm += events.audio_of(part.pop("audio"), f"{path}.content[{index}].audio")
                item.own_transcript = part.setdefault("transcript", None)
        item.samples = len(item.pcm) // audio.SAMPLE_BYTES
        return item

    def _known(self, item_id: str, doing: str, code: str) -> Item:
        item = self._items.find(item_id)
        if item is None:
            raise BadRequest(f"Error {doing} item: the item with id '{item_id}' does not exist.", code=code)
        return item

    def _item_retrieve(self, event: dict[str, Any]) -> None:
        item = self._known(event["item_id"], "retrieving", "item_retrieve_invalid_item_id")
        self._emit("conversation.item.retrieved", item=item.shown(with_audio=True))

    def _item_delete(self, event: dict[str, Any]) -> None:
        self._remove(self._known(event["item_id"], "deleting", "item_delete_invalid_item_id"))

    def _item_truncate(self, event: dict[str, Any]) -> None:
        item = self._known(event["item_id"], "truncating", "item_truncate_invalid_item_id")
        end_ms = event["audio_end_ms"]
        if not item.is_audio("assistant") or not item.samples:
            raise BadRequest(
                "Only model output audio messages can be truncated",
                code="unsupported_content_type",
                param="item_id",
            )
        if event["content_index"] != 0:
            raise BadRequest(
                f"Invalid 'content_index'. {event['content_index']} is past the one content part of the item.",
                code="invalid_value",
                param="content_index",
            )
        length_ms = audio.ms_of_samples(item.samples)
        if end_ms > length_ms:
            raise BadRequest(
                f"Audio content of {length_ms}ms is already shorter than {end_ms}ms",
                code="invalid_value",
                param="audio_end_ms",
            )
        item.truncate(end_ms)
        self._emit("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=end_ms)

    def _remove(self, item: Item) -> None:
        self._items.remove(item)
        self.hearing.forget(item)
        self._emit("conversation.item.deleted", item_id=item.id)
        self.responses.start_ready()

    # -- responses --------------------------------------------------------------------------------------------
    def _response_create(self, event: dict[str, Any]) -> None:
        asked = event.get("response") or {}
        self.responses.check_may_begin(asked)
        given = asked.get("input")
        context = None if given is None else [self._input(wire, index) for index, wire in enumerate(given)]
        for item in context or ():
            self.hearing.transcribe(item, tell=False)
        self._begin(asked, context)

    def _begin(self, asked: dict[str, Any], context: list[Item] | None) -> None:
        self.responses.begin(asked, context)
        self.hearing.answering()

    def _input(self, wire: dict[str, Any], index: int) -> Item:
        path = f"response.input[{index}]"
        if wire["type"] != "item_reference":
            return self._item_of(wire, path)
        item = self._items.find(wire["id"])
        if item is None:
            raise BadRequest(
                f"Item with id '{wire['id']}' not found.", code="invalid_value", param=f"{path}.id"
            )
        return item

    def _response_cancel(self, event: dict[str, Any]) -> None:
        if not self.responses.cancel(event.get("response_id"), "client_cancelled"):
            raise BadRequest(
                "Cancellation failed: no active response found", code="response_cancel_not_active"
            )

    # -- what hearing and responses ask and tell (hearing.Listener, responses.Surroundings) -------------------
    def place_done(self, item: Item, after: str | None = None) -> None:
        """Put a finished item into the conversation, after the item `after`, and say so."""
        previous = self._items.add(item, after)
        for type_ in ("conversation.item.added", "conversation.item.done"):
            self._emit(type_, previous_item_id=previous, item=item.shown())
        self._forget_oldest()

    def place(self, item: Item) -> str | None:
        """Put an unfinished item at the end of the conversation; return the id before it."""
        previous = self._items.add(item)
        self._forget_oldest()
        return previous

    def _forget_oldest(self) -> None:
        while (oldest := self._items.oldest_over_limit()) is not None:
            self._remove(oldest)

    def last_item_id(self) -> str | None:
        """Return the id of the last item."""
        return self._items.last_id

    def context(self) -> list[Item]:
        """Return the items in order."""
        return list(self._items)

    def is_pending(self, item: Item) -> bool:
        """Return whether `item` waits for its transcript."""
        return self.hearing.is_pending(item)

    def interrupt(self) -> None:
        """Cancel the active response, if any: the caller speaks."""
        self.responses.cancel(None, "turn_detected")

    def answer(self) -> None:
        """Create a response: the caller's turn has ended. Raises BadRequest if one is active."""
        self._begin({}, None)

    def heard(self) -> None:
        """Let responses think that waited for a transcript."""
        self.responses.start_ready()

    def answered(self, audio_samples: int) -> None:
        """Bound the audio kept, and tell hearing from when on silence is idle."""
        self._items.forget_old_audio()
        self.hearing.answered(audio_samples)


_HANDLERS: dict[str, Callable[[Conversation, dict[str, Any]], None]] = {
    "session.update": Conversation._session_update,
    "input_audio_buffer.commit": Conversation._commit,
    "input_audio_buffer.clear": Conversation._clear,
    "conversation.item.create": Conversation._item_create,
    "conversation.item.retrieve": Conversation._item_retrieve,
    "conversation.item.truncate": Conversation._item_truncate,
    "conversation.item.delete": Conversation._item_delete,
    "response.create": Conversation._response_create,
    "response.cancel": Conversation._response_cancel,
}
