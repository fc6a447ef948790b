"""Scripted faults: an upstream that fails at an exact place, so that reliability is tested in the language of stories.

A fault is "after the n-th event of this type, do that". Events of both directions count, each connection by itself
from 1; `connect` is the moment before there is a connection. Faults live between the conversation and the wire: the
conversation does not know of them and stays as strict as ever. Nothing here is random, and a stall is a timer of the
loop, so the same story fails the same way every time, on a virtual clock too.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rtbridge.engine.connection import Wire
from rtbridge.engine.events import CLIENT_EVENTS
from rtbridge.errors import Closed, RtbridgeError

CONNECT: Final = "connect"
SERVER_EVENTS: Final = (
    "conversation.item.added",
    "conversation.item.deleted",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.failed",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "error",
    "input_audio_buffer.cleared",
    "input_audio_buffer.committed",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.timeout_triggered",
    "rate_limits.updated",
    "response.content_part.added",
    "response.content_part.done",
    "response.created",
    "response.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "session.created",
    "session.updated",
)
EVENTS: Final = (CONNECT, *sorted({*SERVER_EVENTS, *CLIENT_EVENTS}))
STATUSES: Final = (401, 403, 404, 429, 500, 503)
CLOSE_CODES: Final = (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000))
MAX_STALL_S: Final = 120.0
MAX_FAULTS: Final = 32
DEEDS: Final = (
    "reset",
    "close:1001",
    "stall:3s",
    "drop",
    "repeat",
    "garbage",
    "error:CODE",
    "fail:CODE",
    "429",
)

_AFTER = re.compile(r"([a-z_.]+)(?::([1-9]\d{0,5}))?")
_STALL = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)s")
_CODE = re.compile(r"[a-z0-9_]{1,64}")


class BadFault(ValueError):
    """A fault that cannot be; `key` is the one that is wrong: `after` or `do`."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Refusal(RtbridgeError):
    """A connection that a fault refuses before it is one."""

    def __init__(self, status: int) -> None:
        super().__init__(f"a scripted fault refuses this connection with {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Fault:
    """After the `nth` event of type `after`: `deed`, with what it needs."""

    after: str
    nth: int
    deed: str  # reset | close | stall | drop | repeat | garbage | error | fail | refuse
    code: int = 0  # of close, the WebSocket's; of refuse, the HTTP status
    stall_s: float = 0.0
    error: str = ""  # of error and fail: the error's code


def read_fault(after: str, do: str) -> Fault:
    """Return the fault that a story writes as `after = "response.output_audio.delta:5"`, `do = "reset"`.

    `do` is one of: `reset` (the connection breaks, no close frame), `close:CODE`, `stall:SECONDSs` (nothing more is
    sent for so long), `drop` and `repeat` (of that very event, one that the server sends), `garbage` (a frame
    that is no JSON follows it), `error:CODE` (an `error` event follows it), `fail:CODE` (the response that is
    active then, or the next one, ends as failed), or an HTTP status, which only `after = "connect"` can have.
    Raises BadFault.
    """
    found = _AFTER.fullmatch(after)
    if found is None or found[1] not in EVENTS:
        raise BadFault(
            "after",
            f'`after` is the type of an event and which one, like "response.created:2", not "{after}"',
        )
    name, nth = found[1], int(found[2] or 1)
    fault = _deed(name, nth, do)
    if (name == CONNECT) != (fault.deed == "refuse"):
        raise BadFault(
            "do",
            f'"{do}" cannot be done after "{after}": a status is the answer to connect, and nothing else is',
        )
    if name == CONNECT and nth != 1:
        raise BadFault("after", '`after = "connect"` happens once: leave the number out')
    if fault.deed in ("drop", "repeat") and name not in SERVER_EVENTS:
        raise BadFault("do", f'"{do}" is for what the server sends, and "{name}" is sent by the client')
    return fault


def _deed(name: str, nth: int, do: str) -> Fault:
    deed, _, value = do.partition(":")
    if deed in ("reset", "drop", "repeat", "garbage") and do == deed:
        return Fault(name, nth, deed)
    if deed == "close" and value.isdecimal() and int(value) in CLOSE_CODES:
        return Fault(name, nth, "close", code=int(value))
    if deed == "stall" and (found := _STALL.fullmatch(value)) and 0 < float(found[1]) <= MAX_STALL_S:
        return Fault(name, nth, "stall", stall_s=float(found[1]))
    if deed in ("error", "fail") and _CODE.fullmatch(value):
        return Fault(name, nth, deed, error=value)
    if do.isdecimal() and int(do) in STATUSES:
        return Fault(name, nth, "refuse", code=int(do))
    raise BadFault(
        "do",
        f'"{do}" is nothing that can be done: it is one of {", ".join(DEEDS)} (codes as the protocol has them, '
        f"a stall of at most {MAX_STALL_S:g} s, a status of {', '.join(map(str, STATUSES))})",
    )


def refuse_connection(faults: Iterable[Fault]) -> None:
    """Raise Refusal when a fault says so."""
    for fault in faults:
        if fault.deed == "refuse":
            raise Refusal(fault.code)


End = Callable[[int | None], Awaitable[None]]
"""Ends the connection under a wire: with a close code, or None to break it."""


class FaultyWire:
    """A wire on which scripted faults happen. Takes the place of the `wire` it is made of."""

    def __init__(self, wire: Wire, faults: Sequence[Fault], *, end: End) -> None:
        self._wire = wire
        self._faults = [fault for fault in faults if fault.deed != "refuse"]
        self._end = end
        self._seen: Counter[str] = Counter()
        self._failing = ""  # the code with which the next response.done is to fail
        self._ended = False
        self._still_until_s = 0.0  # loop time until which nothing is sent

    async def receive(self) -> str:
        """Return the next frame, then do what is due after it. Raises Closed."""
        frame = await self._wire.receive()
        event = _event(frame)
        for fault in self._due(event):
            await self._do(fault)
        return frame

    async def send(self, frame: str) -> None:
        """Send a frame and do what is due after it. Raises Closed, also when a fault ended the connection."""
        event = _event(frame)
        due = self._due(event)
        if not any(fault.deed == "drop" for fault in due):
            await self._pass(self._failed(frame, event))
        for fault in due:
            if fault.deed == "repeat":
                await self._pass(frame)
            await self._do(fault)

    def _due(self, event: Mapping[str, Any]) -> list[Fault]:
        kind = str(event.get("type"))
        self._seen[kind] += kind in EVENTS
        return [fault for fault in self._faults if (fault.after, fault.nth) == (kind, self._seen[kind])]

    async def _do(self, fault: Fault) -> None:
        match fault.deed:
            case "reset" | "close":
                self._ended = True
                await self._end(fault.code or None)
                raise Closed(f"a scripted fault ended the connection after {fault.after}:{fault.nth}")
            case "stall":
                self._still_until_s = asyncio.get_running_loop().time() + fault.stall_s
            case "garbage":
                await self._pass('{"type": "response.output_audio.delta", "delta": ')
            case "error":
                await self._pass(json.dumps(_error(fault.error)))
            case "fail":
                self._failing = fault.error

    async def _pass(self, frame: str) -> None:
        still_s = self._still_until_s - asyncio.get_running_loop().time()
        if still_s > 0:
            await asyncio.sleep(still_s)
        if self._ended:
            raise Closed("a scripted fault ended the connection")
        await self._wire.send(frame)

    def _failed(self, frame: str, event: Mapping[str, Any]) -> str:
        """Return `frame`, or the failure of the response that it ends."""
        if not self._failing or event.get("type") != "response.done":
            return frame
        code, self._failing = self._failing, ""
        response = {
            **event["response"],
            "status": "failed",
            "status_details": {"type": "failed", "error": {"type": "server_error", "code": code}},
        }
        return json.dumps({**event, "response": response})


def _error(code: str) -> dict[str, Any]:
    detail = {"type": "server_error", "code": code, "message": f"A scripted fault: {code}.", "param": None}
    return {"type": "error", "event_id": "event_scripted_fault", "error": {**detail, "event_id": None}}


def _event(frame: str) -> Mapping[str, Any]:
    """Return the event of a frame; nothing of a frame that is none."""
    try:
        event = json.loads(frame)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
