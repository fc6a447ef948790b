"""A story's caller as a caller leg, on the virtual clock.

Every 20 ms exactly: the frame said in the last 20 ms is delivered, as a microphone delivers it, and the frame that
sounds in the next 20 ms is pulled. So what is said at t reaches the bridge at t + 20 ms, and what is pulled at t
is heard from t on: the two recordings share one time line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from rtbridge.core import pcm
from rtbridge.core.leg import Hear, LegEvent, LegGone, LegKey, LegMessage, LegUp, Pull
from rtbridge.errors import Closed

FRAME_S = pcm.FRAME_MS / 1000


class Driven(Protocol):
    """Whoever speaks and listens, 20 ms by 20 ms: the script of a story, or a talker."""

    outbox: list[str]
    pressed: list[str]
    reason: str | None

    @property
    def is_over(self) -> bool:
        """Say whether the call is over."""
        ...

    def tick(self, heard: bytes) -> bytes:
        """Take the 20 ms that are heard now and return what is said in the same 20 ms."""
        ...

    def message(self, text: str) -> None:
        """Take a message of the data channel."""
        ...

    def ended_by_peer(self, reason: str) -> None:
        """The other side has ended the call."""
        ...


class ReplayCaller:
    """`core.leg.CallerLeg`. `run()` is the caller's own task; it ends when the script or the call does."""

    def __init__(self, script: Driven) -> None:
        self._script = script
        self._pull: Pull | None = None
        self._hear: Hear | None = None
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()  # bounded by the story's turns
        self._attached = asyncio.Event()
        self._closed = False
        self._frames = 0

    def attach(self, *, pull: Pull, hear: Hear) -> None:
        """Connect the audio road; the caller is there from now on."""
        self._pull, self._hear = pull, hear
        self._attached.set()

    async def events(self) -> AsyncIterator[LegEvent]:
        """Yield LegUp, typed messages, pressed keys, LegGone."""
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, LegGone):
                return

    def send(self, text: str) -> None:
        """Give the caller a message of the data channel."""
        self._script.message(text)

    @property
    def rtt_ms(self) -> float:
        """Return 0: nothing lies between."""
        return 0.0

    @property
    def wire_ms(self) -> float:
        """Return 0: what is pulled sounds at once."""
        return 0.0

    def stats(self) -> dict[str, float]:
        """Return how many frames went each way."""
        return {"frames": float(self._frames)}

    async def close(self) -> None:
        """End the leg; idempotent."""
        if not self._closed:
            self._closed = True
            self._attached.set()
            self._script.ended_by_peer("the bridge closed the leg")
            self._events.put_nowait(LegGone("closed"))

    async def run(self) -> None:
        """Speak and listen, 20 ms by 20 ms, until the story or the call is over."""
        await self._attached.wait()
        if self._closed:
            return
        if self._pull is None or self._hear is None:
            raise Closed("run() belongs to an attached caller")
        loop = asyncio.get_running_loop()
        self._events.put_nowait(LegUp())
        began_s = loop.time()
        said: bytes | None = None
        pressed: tuple[str, ...] = ()
        while not self._closed and not self._script.is_over:
            if said is not None:
                self._hear(said)
            for key in pressed:
                self._events.put_nowait(LegKey(key))
            said = self._script.tick(self._pull(pcm.FRAME_SAMPLES))
            pressed = tuple(self._script.pressed)
            self._script.pressed.clear()
            for text in self._script.outbox:
                self._events.put_nowait(LegMessage(text))
            self._script.outbox.clear()
            self._frames += 1
            await asyncio.sleep(began_s + self._frames * FRAME_S - loop.time())
        self._events.put_nowait(LegGone(self._script.reason or "closed"))
