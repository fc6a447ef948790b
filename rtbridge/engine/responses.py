"""The responses of one conversation: who may begin, what each may see, and when each is over.

One response at a time writes to the conversation; a few more may run out-of-band. A response begins to think when all
audio it answers has been transcribed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from rtbridge.engine import session_config
from rtbridge.engine.items import Item
from rtbridge.engine.outbox import Outbox, Respond
from rtbridge.engine.parts import Call, Turn
from rtbridge.engine.response import Options, Response
from rtbridge.errors import BadRequest

MAX_OUT_OF_BAND: Final = 4


class Surroundings(Protocol):
    """What responses need to know of their conversation."""

    @property
    def session(self) -> session_config.Session:
        """Return the session in force."""
        ...

    def place(self, item: Item) -> str | None:
        """Put an unfinished item at the end of the conversation; return the id before it."""
        ...

    def context(self) -> list[Item]:
        """Return the conversation's items."""
        ...

    def is_pending(self, item: Item) -> bool:
        """Return whether `item` waits for its transcript."""
        ...

    def answered(self, audio_samples: int) -> None:
        """A response of the conversation is done and put out so much audio."""
        ...


class Responses:
    """Those in progress."""

    def __init__(self, surroundings: Surroundings, outbox: Outbox, conversation_id: str) -> None:
        self._around = surroundings
        self._outbox = outbox
        self._conversation_id = conversation_id
        self._running: dict[str, Response] = {}
        self._contexts: dict[str, list[Item]] = {}  # of those that were given `input`
        self._waiting: list[Response] = []  # for transcripts of what they answer
        self.has_spoken = False  # whether any audio was put out: from then on the voice is fixed

    def check_voice(self, output: dict[str, Any], path: str) -> None:
        """Raise BadRequest if `audio.output` asks for another voice after the first audio."""
        now = self._around.session["audio"]["output"]["voice"]
        if self.has_spoken and "voice" in output and session_config.voice_name(output["voice"]) != now:
            raise BadRequest(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
                param=path,
            )

    def check_may_begin(self, asked: dict[str, Any]) -> None:
        """Raise BadRequest if `response.create` with these options may not begin now."""
        active = self._active()
        if asked.get("conversation") == "none":
            if len(self._running) - (active is not None) >= MAX_OUT_OF_BAND:
                raise BadRequest(
                    f"{MAX_OUT_OF_BAND} responses out-of-band are in progress. Wait until one is finished.",
                    code="rate_limit_exceeded",
                )
        elif active is not None:
            raise BadRequest(
                f"Conversation already has an active response in progress: {active.id}. Wait until the response is "
                "finished before creating a new one.",
                code="conversation_already_has_active_response",
            )
        self.check_voice(asked.get("audio", {}).get("output", {}), "response.audio.output.voice")

    def begin(self, asked: dict[str, Any], context: list[Item] | None) -> None:
        """Begin a response with the options of `response.create`; `context` stands for its `input`, None for none.

        Raises BadRequest if it may not begin now.
        """
        self.check_may_begin(asked)
        out_of_band = asked.get("conversation") == "none"
        response = Response(
            self._outbox.new_id("resp"),
            self._options(asked, None if out_of_band else self._conversation_id),
            emit=self._outbox.emit,
            new_id=self._outbox.new_id,
            place=None if out_of_band else self._around.place,
        )
        self._running[response.id] = response
        if context is not None:
            self._contexts[response.id] = context
        self._waiting.append(response)
        self.start_ready()

    def _options(self, asked: dict[str, Any], conversation_id: str | None) -> Options:
        session = self._around.session
        both = {**session, **asked}
        sound = {**session["audio"]["output"], **asked.get("audio", {}).get("output", {})}
        prompt = both["prompt"]
        modalities = both["output_modalities"] or ["audio"]
        return Options(
            conversation_id=conversation_id,
            modality=modalities[0],
            voice=session_config.voice_name(sound["voice"]),
            speed=sound["speed"],
            max_output_tokens=both["max_output_tokens"],
            metadata=asked.get("metadata"),
            instructions=session["instructions"],
            response_instructions=asked.get("instructions"),
            tools=both["tools"],
            tool_choice=both["tool_choice"],
            prompt_id=prompt["id"] if prompt else None,
        )

    def start_ready(self) -> None:
        """Let those think whose context is all heard."""
        for response in list(self._waiting):
            context = self._context_of(response)
            if any(map(self._around.is_pending, context)):
                continue
            self._waiting.remove(response)
            options = response.options
            turn = Turn(
                instructions=options.instructions,
                tools=options.tools,
                items=[item.for_wits() for item in context],
                prompt_id=options.prompt_id,
                tool_choice=options.tool_choice,
                response_instructions=options.response_instructions,
                voice=options.voice,
            )
            self._outbox.ask(Respond(response.id, turn, options.modality, options.speed))

    def _context_of(self, response: Response) -> list[Item]:
        context = self._contexts.get(response.id)
        if context is None:
            context = self._around.context()
        return [item for item in context if item not in response.output]

    # -- their end --------------------------------------------------------------------------------------------
    def _active(self) -> Response | None:
        """Return the one that writes to the conversation."""
        return next((r for r in self._running.values() if r.options.conversation_id is not None), None)

    def cancel(self, response_id: str | None, reason: str) -> bool:
        """Cancel this one, or the active one; return whether there was one."""
        response = self._active() if response_id is None else self._running.get(response_id)
        if response is not None:
            response.end("cancelled", reason=reason)
            self._settle(response)
        return response is not None

    def _settle(self, response: Response) -> None:
        """If `response` is over, report it and let it go."""
        if not response.over:
            return
        response.done(self._context_of(response))
        del self._running[response.id]
        self._contexts.pop(response.id, None)
        if response in self._waiting:
            self._waiting.remove(response)
        if response.options.conversation_id is not None:
            self._around.answered(response.audio_samples)

    # -- what was found to answer -----------------------------------------------------------------------------
    def is_active(self, response_id: str) -> bool:
        """Return whether this response still takes output."""
        return response_id in self._running

    def feed(self, response_id: str, act: Callable[[Response], None]) -> None:
        """Do `act` to the response, if it is still in progress."""
        response = self._running.get(response_id)
        if response is not None:
            act(response)
            self._settle(response)

    def begin_message(self, response_id: str) -> None:
        """Open an assistant message."""
        self.feed(response_id, Response.begin_message)

    def spoken(self, response_id: str, text: str, pcm: bytes) -> None:
        """Put out `pcm` (24 kHz mono s16le) and the text that begins to sound with it."""
        self.has_spoken = self.has_spoken or (bool(pcm) and self.is_active(response_id))
        self.feed(response_id, lambda response: response.speak(text, pcm))

    def written(self, response_id: str, text: str) -> None:
        """Put out text of a text response."""
        self.feed(response_id, lambda response: response.write(text))

    def end_message(self, response_id: str) -> None:
        """Close the open message."""
        self.feed(response_id, Response.end_message)

    def called(self, response_id: str, call: Call) -> None:
        """Put out a function call."""
        self.feed(response_id, lambda response: response.call(call.name, call.arguments_json))

    def finished(self, response_id: str) -> None:
        """End it as completed."""
        self.feed(response_id, lambda response: response.end("completed"))

    def failed(self, response_id: str, message: str) -> None:
        """End it as failed, with what went wrong."""
        error = {"type": "server_error", "code": "server_error", "message": message}
        self.feed(response_id, lambda response: response.end("failed", error=error))
