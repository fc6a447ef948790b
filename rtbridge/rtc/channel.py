"""The data channel `oai-events` of one peer: bounded both ways.

The client makes it, and it is the only one. What comes in is text of at most 64 KiB, 100 messages a second with 200
at once; more than that ends the call, after an `error` event that says why. What goes out waits in a buffer of at
most 1 MiB; what does not fit is dropped and counted, because a caller who does not read must not cost memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from typing import Final

from aiortc import RTCDataChannel

from rtbridge.rtc.answer import MAX_MESSAGE_BYTES
from rtbridge.rtc.guard import Bucket

LABEL: Final = "oai-events"
LOOK_S: Final = 0.005
MAX_BUFFERED_BYTES: Final = 1024 * 1024
MESSAGES_PER_S: Final = 100
MESSAGE_BURST: Final = 200
MAX_UNREAD_BYTES: Final = 512 * 1024  # fragments that SCTP holds of messages not yet whole or in order
MAX_STREAMS: Final = 8  # SCTP streams in use; a data channel is one


def error_event(code: str, message: str) -> str:
    """Return an `error` server event (Realtime API) as JSON."""
    return json.dumps(
        {
            "type": "error",
            "event_id": f"event_{secrets.token_hex(8)}",
            "error": {
                "type": "invalid_request_error",
                "code": code,
                "message": message,
                "param": None,
                "event_id": None,
            },
        }
    )


class EventChannel:
    """`oai-events`, before and after the client opened it. Callbacks only; owns no task."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        opened: Callable[[], None],
        message: Callable[[str], None],
        broken: Callable[[str], None],
        closed: Callable[[], None],
    ) -> None:
        """`broken(reason)` is told, once, that the client breaks the rules; `closed`, that the channel is gone."""
        self._clock = clock
        self._opened = opened
        self._message = message
        self._broken = broken
        self._closed = closed
        self._bucket = Bucket(MESSAGES_PER_S, MESSAGE_BURST)
        self._channel: RTCDataChannel | None = None
        self._failed = False
        self.received = 0
        self.sent = 0
        self.unsent = 0
        self.undecodable = 0

    @property
    def is_open(self) -> bool:
        """Whether the client has opened it and nobody has closed it."""
        return self._channel is not None and self._channel.readyState == "open"

    @property
    def buffered_bytes(self) -> int:
        """What was sent and has not left yet."""
        return 0 if self._channel is None else self._channel.bufferedAmount

    def offered(self, channel: RTCDataChannel) -> None:
        """Take a channel that the client opened (aiortc's `datachannel` event)."""
        if self._channel is not None or channel.label != LABEL:
            self._channel = self._channel or channel
            self.fail(
                "data_channel_refused", f"data channel {channel.label[:64]!r}: only one, {LABEL!r}, is taken"
            )
            return
        self._channel = channel
        channel.on("message", self._received)
        channel.on("close", self._closed)
        self._opened()

    def send(self, text: str) -> None:
        """Queue one JSON event; what cannot be sent is counted."""
        size = len(text.encode())
        fits = size <= MAX_MESSAGE_BYTES and self.buffered_bytes + size <= MAX_BUFFERED_BYTES
        if self._channel is None or self._channel.readyState != "open" or not fits:
            self.unsent += 1
            return
        try:
            self._channel.send(text)
        except ValueError:  # longer than the max-message-size of the offer
            self.unsent += 1
        else:
            self.sent += 1

    def fail(self, code: str, message: str) -> None:
        """Tell the client why, then the owner; from then on nothing that comes in is looked at."""
        if self._failed:
            return
        self._failed = True
        self.send(error_event(code, message))
        self._broken(message)

    async def drained(self, timeout_s: float, unacknowledged: Callable[[], int]) -> None:
        """Return when the events sent last have arrived, the channel has closed, or `timeout_s` is over.

        What has left for SCTP may still wait there, and closing throws it away; aiortc tells nobody when it is gone.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.is_open and (self.buffered_bytes or unacknowledged()):  # noqa: ASYNC110  no event tells it
                    await asyncio.sleep(LOOK_S)

    def admit_chunk(self, _stream_id: int, streams: int, unread_bytes: int) -> bool:
        """Judge one SCTP DATA chunk before it is kept (private.intercept_sctp)."""
        if self._failed:
            return False
        if streams > MAX_STREAMS:
            self.fail("data_channel_refused", f"more than {MAX_STREAMS} SCTP streams are in use")
            return False
        if unread_bytes > MAX_UNREAD_BYTES:
            self.fail("message_too_large", f"a message of more than {MAX_MESSAGE_BYTES} bytes")
            return False
        return True

    def _received(self, data: str | bytes) -> None:
        if self._failed:
            return
        if not self._bucket.take(self._clock()):
            self.fail("rate_limit_exceeded", f"more than {MESSAGES_PER_S} messages a second on {LABEL}")
            return
        size = len(data.encode()) if isinstance(data, str) else len(data)
        if size > MAX_MESSAGE_BYTES:
            self.fail("message_too_large", f"a message of {size} bytes; {MAX_MESSAGE_BYTES} are the most")
            return
        try:
            text = data if isinstance(data, str) else data.decode()
        except UnicodeDecodeError:
            self.undecodable += 1
            self.send(error_event("invalid_event", "a binary message that is not UTF-8 text"))
            return
        self.received += 1
        self._message(text)
