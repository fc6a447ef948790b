"""What the tests of the WebRTC leg share: offers of real browsers, tones, and a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from peer_rig import PATIENCE_S
from rtbridge.core.leg import LegEvent, LegUp
from rtbridge.core.pcm import RATE
from rtbridge.rtc.client import WireCaller
from rtbridge.rtc.impair import Profile
from rtbridge.rtc.peer import Peer, PeerConfig

FINGERPRINT = ":".join(f"{n:02X}" for n in range(32))

CHROME_OFFER = (
    "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "a=extmap-allow-mixed\r\na=msid-semantic: WMS 9e1b\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=candidate:1467250027 1 udp 2122260223 203.0.113.7 46243 typ host generation 0 network-id 1\r\n"
    "a=candidate:435653019 1 tcp 1845501695 203.0.113.7 9 typ host tcptype active generation 0\r\n"
    "a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlxU\r\na=ice-options:trickle\r\n"
    f"a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:actpass\r\na=mid:0\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=msid:9e1b 7f2c\r\na=rtcp-mux\r\n"
    "a=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n"
    "a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n"
    "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n"
    "a=ssrc:3735928559 cname:9FGH\r\na=ssrc:3735928559 msid:9e1b 7f2c\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:4ZcD\r\n"
    "a=ice-pwd:2/1muCWoOi3uLifh0NuRHlxU\r\na=ice-options:trickle\r\n"
    f"a=fingerprint:sha-256 {FINGERPRINT}\r\na=setup:actpass\r\na=mid:1\r\na=sctp-port:5000\r\n"
    "a=max-message-size:262144\r\n"
)

Tone = Callable[[int], bytes]


@pytest.fixture
def chrome_offer() -> str:
    """An offer as Chromium makes it (shortened to what differs in kind), with documentation addresses."""
    return CHROME_OFFER


def tone(hertz: float, level: float = 8000.0) -> Tone:
    """Give `pull` for an endless sine."""
    position = 0

    def pull(samples: int) -> bytes:
        nonlocal position
        at = (np.arange(samples) + position) / RATE
        position += samples
        return (level * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()

    return pull


@pytest.fixture
def make_tone() -> Callable[..., Tone]:
    """Give `tone(hertz, level)`."""
    return tone


class FakeTimers:
    """A loop's clock and timers, moved by the test."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self._heap: list[tuple[float, int, FakeTimer]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, callback: Callable[[], object], /) -> FakeTimer:
        timer = FakeTimer(when, callback)
        heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def advance(self, seconds: float, *, stalled: bool = False) -> None:
        """Run what is due in the next seconds, at its time; with `stalled`, all of it at the end."""
        end = self.now_s + seconds
        if stalled:
            self.now_s = end
        while self._heap and self._heap[0][0] <= end:
            when, _, timer = heapq.heappop(self._heap)
            self.now_s = max(self.now_s, when)
            if not timer.cancelled:
                timer.callback()
        self.now_s = end

    @property
    def pending(self) -> int:
        return sum(not timer.cancelled for _, _, timer in self._heap)


class FakeTimer:
    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self._when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def when(self) -> float:
        return self._when


@pytest.fixture
def timers() -> FakeTimers:
    return FakeTimers()


class Call:
    """A Peer and a stock aiortc caller on loopback, connected."""

    def __init__(self, peer: Peer, caller: WireCaller) -> None:
        self.peer = peer
        self.caller = caller
        self.heard = bytearray()  # by the peer
        self.received = bytearray()  # by the caller
        self.messages: list[str] = []  # to the caller
        self.events: list[LegEvent] = []
        self._changed = asyncio.Event()

    async def read(self) -> None:
        async for event in self.peer.events():
            self.events.append(event)
            self._changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait until `condition()`, looking at every event and every 10 ms."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await self._changed.wait()

    def saw(self, kind: type[LegEvent]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


Connect = Callable[..., contextlib.AbstractAsyncContextManager[Call]]


@contextlib.asynccontextmanager
async def connected(
    *,
    speak: Tone | None = None,
    pull: Tone | None = None,
    config: PeerConfig | None = None,
    impairment: Profile | None = None,
    rewrite_offer: Callable[[str], str] = str,
) -> AsyncIterator[Call]:
    peer = Peer(config or PeerConfig(media_addresses=("127.0.0.1",)))
    call: Call
    caller = WireCaller(
        speak=speak or tone(440),
        listen=lambda pcm: call.received.extend(pcm),
        message=lambda text: call.messages.append(text),
        impairment=impairment,
    )
    call = Call(peer, caller)
    peer.attach(pull=pull or tone(880), hear=call.heard.extend)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(call.read())
        try:
            await caller.accept(await peer.answer(rewrite_offer(await caller.offer())))
            await caller.opened()
            await call.until(lambda: call.saw(LegUp))
            caller.impair()
            yield call
        finally:
            await caller.close()
            await peer.close()
            await reader


@pytest.fixture
def connect() -> Connect:
    """Give `async with connect(...) as call`."""
    return connected
