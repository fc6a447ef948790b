"""The engine in memory: the same connection without a socket, for replays and tests.

Nothing here takes time: on a virtual clock a whole call runs without one timer of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Generic, Self, TypeVar

from rtbridge.core import pcm as audio
from rtbridge.engine.connection import Connection, random_id
from rtbridge.engine.faults import Fault, FaultyWire, Refusal, refuse_connection
from rtbridge.engine.parts import EngineParts
from rtbridge.errors import Closed, UpstreamLost, UpstreamRefused

MAX_BACKLOG_SAMPLES: Final = 2 * audio.RATE
MAX_FRAMES: Final = 256  # in flight one way; a sender waits beyond it
C = TypeVar("C")


class MemoryWire:
    """One end of a duplex of frames. `MemoryWire.pair()` makes the two."""

    def __init__(self, inbound: _Pipe, outbound: _Pipe) -> None:
        self._inbound = inbound
        self._outbound = outbound

    @classmethod
    def pair(cls) -> tuple[MemoryWire, MemoryWire]:
        """Return two ends; what one sends the other receives, in order."""
        one, other = _Pipe(), _Pipe()
        return cls(one, other), cls(other, one)

    async def receive(self) -> str:
        """Return the next frame. Raises Closed when the far end closed and all it sent was received."""
        return await self._inbound.get()

    async def send(self, frame: str) -> None:
        """Send a frame; waits while 256 are on their way. Raises Closed when either end has closed."""
        await self._outbound.put(frame)

    def close(self) -> None:
        """Close both directions; idempotent."""
        self._inbound.close()
        self._outbound.close()


class _Pipe:
    def __init__(self) -> None:
        self._frames: deque[str] = deque()
        self._closed = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    async def get(self) -> str:
        while not self._frames:
            if self._closed:
                raise Closed("the wire is closed")
            self._readable.clear()
            await self._readable.wait()
        frame = self._frames.popleft()
        self._writable.set()
        return frame

    async def put(self, frame: str) -> None:
        while len(self._frames) >= MAX_FRAMES and not self._closed:
            self._writable.clear()
            await self._writable.wait()
        if self._closed:
            raise Closed("the wire is closed")
        self._frames.append(frame)
        self._readable.set()

    def close(self) -> None:
        self._closed = True
        self._readable.set()
        self._writable.set()


class MemoryClient:
    """The client end of an engine in memory: `send` dicts, iterate over server events, `close`."""

    def __init__(self, wire: MemoryWire) -> None:
        self._wire = wire
        self.served: asyncio.Task[None]  # the engine's side
        self.ending = ""  # how a scripted fault ended it

    async def send(self, event: Mapping[str, Any]) -> None:
        """Send one client event. Raises Closed after the end."""
        await self._wire.send(json.dumps(event, separators=(",", ":")))

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Yield server events until the end."""
        try:
            while True:
                yield json.loads(await self._wire.receive())
        except Closed:
            return

    async def end(self, code: int | None) -> None:
        """End it as a scripted fault does: with a WebSocket close code, or None for a broken connection."""
        self.ending = "1006 the connection broke" if code is None else f"close code {code}"
        self._wire.close()

    async def close(self) -> None:
        """End the connection and wait until nothing of it runs; idempotent. A failure of it was logged and is kept."""
        self._wire.close()
        await asyncio.wait([self.served])

    @property
    def failure(self) -> BaseException | None:
        """Return what the engine's side died of, if it did."""
        return self.served.exception() if self.served.done() and not self.served.cancelled() else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def connect_in_memory(
    parts: EngineParts,
    *,
    new_id: Callable[[str], str] = random_id,
    model: str = "rtbridge-engine",
    prompt_id: str | None = None,
    faults: Sequence[Fault] = (),
) -> MemoryClient:
    """Start an engine connection on the running loop and return its client end. The client owns it: close it.

    `prompt_id` is what `session.prompt.id` begins as: "<scenario>/<agent>". Raises faults.Refusal when one of
    `faults` refuses the connection.
    """
    refuse_connection(faults)
    near, far = MemoryWire.pair()
    client = MemoryClient(near)
    wire = FaultyWire(far, faults, end=client.end) if faults else far
    connection = Connection(wire, parts, model=model, new_id=new_id, prompt_id=prompt_id)
    client.served = asyncio.get_running_loop().create_task(connection.run())
    client.served.add_done_callback(lambda _: far.close())
    return client


class MemoryUpstream(Generic[C]):
    """An engine in memory as what the bridge calls an upstream (`upstream.port.Upstream`, obeyed by shape).

    The capabilities are given by whoever makes it, since the engine does not know the bridge.
    """

    url: Final = "memory:engine"

    def __init__(
        self,
        parts: EngineParts,
        *,
        capabilities: C,
        new_id: Callable[[str], str] = random_id,
        model: str = "rtbridge-engine",
        faults: Sequence[Fault] = (),
    ) -> None:
        self.capabilities: Final = capabilities
        self._parts = parts
        self._new_id = new_id
        self._model = model
        self._faults = faults
        self._client: MemoryClient | None = None
        self._pump: asyncio.Task[None] | None = None
        self._unsent: deque[tuple[Mapping[str, Any], int]] = deque()  # event, samples of audio in it
        self._unsent_samples = 0
        self._more = asyncio.Event()
        self._closed = False

    async def connect(self) -> None:
        """Start the engine's side. Raises UpstreamRefused and UpstreamLost when a scripted fault has it so."""
        try:
            self._client = connect_in_memory(
                self._parts, new_id=self._new_id, model=self._model, faults=self._faults
            )
        except Refusal as refusal:
            kind = UpstreamRefused if refusal.status in (401, 403, 404) else UpstreamLost
            raise kind(f"{self.url} answered {refusal.status}: {refusal}") from None
        self._pump = asyncio.get_running_loop().create_task(self._send_all(self._client))

    async def _send_all(self, client: MemoryClient) -> None:
        try:
            while True:
                await self._more.wait()
                while self._unsent:
                    event, samples = self._unsent.popleft()
                    self._unsent_samples -= samples
                    await client.send(event)
                self._more.clear()
        except Closed:
            return

    def send(self, event: Mapping[str, Any]) -> None:
        """Queue one client event. Raises Closed after close()."""
        self._queue(event, 0)

    def _queue(self, event: Mapping[str, Any], samples: int) -> None:
        if self._closed:
            raise Closed("the upstream is closed")
        self._unsent.append((event, samples))
        self._unsent_samples += samples
        self._more.set()

    def send_audio(self, pcm: bytes) -> int:
        """Queue `input_audio_buffer.append` of 24 kHz mono s16le; return the ms of older audio this pushed out.

        Audio is pushed out beyond 2 s of backlog, when the engine does not keep up; other events never are.
        """
        event = {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode("ascii")}
        self._queue(event, audio.samples_of(pcm))
        before = self._unsent_samples
        while self._unsent_samples > MAX_BACKLOG_SAMPLES:
            oldest = next(i for i, (_, samples) in enumerate(self._unsent) if samples)
            self._unsent_samples -= self._unsent[oldest][1]
            del self._unsent[oldest]
        return audio.ms_of_samples(before - self._unsent_samples)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield server events. Raises UpstreamLost when the engine ended it."""
        assert self._client is not None, "connect() comes first"
        async for event in self._client:
            yield event
        if not self._closed:
            why = self._client.ending or repr(self._client.failure)
            raise UpstreamLost(f"the engine in memory has ended: {why}")

    async def close(self) -> None:
        """End it; idempotent."""
        self._closed = True
        if self._client is not None and self._pump is not None:
            await self._client.close()
            self._pump.cancel()
            await asyncio.wait([self._pump])
