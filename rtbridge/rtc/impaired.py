"""One direction of a bad network, carried out: the plan of impair.py on the loop's clock, at the seams of a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from rtbridge.rtc.impair import Impairment, Profile
from rtbridge.rtc.private import IceSend
from rtbridge.rtc.rtp import HEADER, is_rtcp

MAX_ON_THE_WAY: Final = 1000  # packets; 200 ms of jitter at 50 packets a second are 10


class Impaired:
    """Delays and drops the RTP of one direction; everything else passes at once, and all of it before `begin()`."""

    def __init__(self, profile: Profile, direction: str, loop: asyncio.AbstractEventLoop) -> None:
        self.network = Impairment(profile, direction)
        self._loop = loop
        self._first: int | None = None  # sequence number of the stream's first packet
        self._from: int | None = None  # how many packets of the stream are let through
        self._seen = 0  # packets of the stream so far, by sequence number
        self._on_the_way: set[asyncio.Task[None]] = set()
        self._timers = 0

    def begin(self, packet: int | None) -> None:
        """Be bad from the stream's packet of that number on (0 is its first); None is the next one to come."""
        self._from = self._seen if packet is None else packet

    def sending(self, send: IceSend) -> IceSend:
        """Return `send` with this network before it."""

        async def later(data: bytes, delay_s: float) -> None:
            await asyncio.sleep(delay_s)
            with contextlib.suppress(ConnectionError):
                await send(data)

        async def impaired(data: bytes) -> None:
            delay_s = self._delay_s(data)
            if delay_s is None:
                return
            if delay_s <= 0 or len(self._on_the_way) >= MAX_ON_THE_WAY:
                await send(data)
                return
            task = self._loop.create_task(later(data, delay_s))
            self._on_the_way.add(task)
            task.add_done_callback(self._on_the_way.discard)

        return impaired

    def receiving(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        """Hand `data` to `deliver` when it has come through this network, or never."""
        delay_s = self._delay_s(data)
        if delay_s is None:
            return
        if delay_s <= 0 or self._timers >= MAX_ON_THE_WAY:
            deliver(data)
            return

        def arrive() -> None:
            self._timers -= 1
            deliver(data)

        self._timers += 1
        self._loop.call_later(delay_s, arrive)

    def _delay_s(self, data: bytes) -> float | None:
        # RFC 7983 §7: first byte 128 to 191 is RTP or RTCP. SRTP leaves the header readable (RFC 3711 §3.1).
        if len(data) < HEADER.size or not 128 <= data[0] <= 191 or is_rtcp(data):
            return 0.0
        sequence = int.from_bytes(data[2:4], "big")
        if self._first is None:
            self._first = sequence
        number = self._seen + (((sequence - self._first - self._seen + 0x8000) & 0xFFFF) - 0x8000)
        self._seen = max(self._seen, number + 1)
        if self._from is None or number < self._from:
            return 0.0
        return self.network.plan(sequence, self._loop.time())
