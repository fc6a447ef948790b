"""Light callers for `rtbridge bench media`: real ICE, DTLS and SRTP, and next to no work beside.

Each sends packets that were encoded before the run and notes when every packet came. What it heard is decoded
afterwards, so that the caller does not compete with the bridge for the two cores.
"""

from __future__ import annotations

import asyncio
import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pylibsrtp
from aiohttp import ClientSession
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from rtbridge.core import pcm
from rtbridge.rtc import private, sockets
from rtbridge.rtc.codec import Application, OpusDecoder, OpusEncoder
from rtbridge.rtc.rtp import build_rtp, is_rtcp, parse_rtp

FRAME_S: Final = 0.020
BURST_EVERY: Final = 25  # frames: one tone burst every 500 ms
BURST_FRAMES: Final = 3
LOUD: Final = 3_000  # half of the tone's level


def bursts(count: int) -> list[bytes]:
    """Return Opus packets (20 ms, 24 kHz mono) of silence with a 60 ms tone every 500 ms."""
    encoder = OpusEncoder(application=Application.VOIP, bitrate=32_000, complexity=5)
    t = np.arange(pcm.FRAME_SAMPLES * BURST_FRAMES) / pcm.RATE
    tone = (8_000 * np.sin(2 * np.pi * 1_000 * t)).astype("<i2").tobytes()
    packets = []
    for frame in range(count):
        at = frame % BURST_EVERY - 5
        start = at * pcm.FRAME_BYTES
        loud = 0 <= at < BURST_FRAMES
        packets.append(encoder.encode(tone[start : start + pcm.FRAME_BYTES] if loud else pcm.SILENT_FRAME))
    return packets


def onsets(packets: list[tuple[float, bytes]]) -> list[float]:
    """Return when tones began, given (time of the packet, Opus payload) in order; seconds on the same clock."""
    decoder = OpusDecoder()
    found: list[float] = []
    quiet_frames = BURST_FRAMES
    for time_s, payload in packets:
        samples = np.abs(np.frombuffer(decoder.decode(payload), "<i2").astype(np.int32))
        loud = np.flatnonzero(samples > LOUD)
        if len(loud) and quiet_frames >= BURST_FRAMES:
            found.append(time_s + int(loud[0]) / pcm.RATE)
        quiet_frames = 0 if len(loud) else quiet_frames + 1
    return found


@dataclass(slots=True)
class Arrivals:
    """When packets came: (loop time, RTP timestamp, payload)."""

    packets: list[tuple[float, int, bytes]] = field(default_factory=list)

    def between(self, start_s: float, end_s: float) -> list[tuple[float, int, bytes]]:
        """Return those of a window, in the order of their timestamps."""
        return sorted((p for p in self.packets if start_s <= p[0] < end_s), key=lambda p: p[1])

    def lateness_ms(self, start_s: float, end_s: float) -> list[float]:
        """Return how much later than its timestamp says each packet of a window came, in ms.

        The earliest packet of the window is on time by definition, as a jitter buffer would see it.
        """
        offsets = [time_s - ticks / 48_000 for time_s, ticks, _ in self.between(start_s, end_s)]
        base = min(offsets, default=0.0)
        return [(offset - base) * 1000 for offset in offsets]


class BenchCaller:
    """One call. `connect`, then `send` each 20 ms, then read `arrivals` and `sent`."""

    def __init__(self, packets: list[bytes]) -> None:
        self._loop = asyncio.get_running_loop()
        self._packets = packets
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._started = asyncio.Event()
        self._frame = 0
        self._payload_type = 0
        self._srtp: tuple[Any, Any] | None = None
        self.arrivals = Arrivals()
        self.sent: list[tuple[float, bytes]] = []

    async def connect(self, http: ClientSession, url: str) -> None:
        """Make the call at `url` and wait until media can flow."""
        self._pc.addTransceiver("audio", direction="sendrecv")
        opened = asyncio.Event()
        channel = self._pc.createDataChannel("oai-events")
        channel.on("open", opened.set)
        transceiver, dtls, ice = private.peer_parts(self._pc)
        connection = self._connection = private.connection_of(ice)
        private.take_over_media(transceiver, self._started.set)

        async def gather(component: int, addresses: object) -> list[private.Candidate]:
            return await sockets.gather(
                connection,
                lambda: _Listening(connection, self._received),
                bind=("127.0.0.1",),
                ports=None,
                component=component,
            )

        private.replace_gathering(connection, gather)
        await self._pc.setLocalDescription()
        opus = re.search(r"a=rtpmap:([0-9]+) opus/48000/2", self._pc.localDescription.sdp)
        assert opus is not None
        self._payload_type = int(opus[1])
        headers = {"Content-Type": "application/sdp"}
        async with http.post(url, data=self._pc.localDescription.sdp, headers=headers) as reply:
            answer = await reply.text()
            if reply.status != 201:
                raise RuntimeError(f"{url} answered {reply.status}: {answer[:300]}")
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(20):
            await self._started.wait()
            if "m=application" in answer and "m=application 0" not in answer:
                await opened.wait()
        self._srtp = private.srtp_sessions(dtls)

    def send(self) -> None:
        """Send the next 20 ms."""
        selected = private.selected(self._connection)
        if selected is None or self._srtp is None:
            return
        transport, address = selected
        payload = self._packets[self._frame % len(self._packets)]
        ticks = self._frame * 960 & 0xFFFFFFFF
        packet = build_rtp(self._payload_type, self._frame == 0, self._frame & 0xFFFF, ticks, 4_711, payload)
        transport.sendto(self._srtp[1].protect(packet), address)
        self.sent.append((self._loop.time(), payload))
        self._frame += 1

    def latencies_ms(self, start_s: float, end_s: float) -> list[float]:
        """Return the echo's delay for each tone burst sent in a window: wire to wire, in ms.

        From the moment the packet with the onset was sent to the moment the packet with its echo came, both
        corrected for where in its packet the onset lies.
        """
        sent = onsets(self.sent)
        heard = onsets(
            [(time_s, payload) for time_s, _, payload in self.arrivals.between(start_s, end_s + 1)]
        )
        delays = []
        for begun_s in sent:
            if start_s <= begun_s < end_s - 1:
                echo_s = next((h for h in heard if h > begun_s), None)
                if echo_s is not None and echo_s - begun_s < BURST_EVERY * FRAME_S:
                    delays.append((echo_s - begun_s) * 1000)
        return delays

    async def close(self) -> None:
        """Hang up."""
        await self._pc.close()

    def _received(self, datagram: bytes) -> None:
        if self._srtp is None or is_rtcp(datagram):
            return
        now_s = self._loop.time()
        try:
            packet = parse_rtp(self._srtp[0].unprotect(datagram))
        except (pylibsrtp.Error, ValueError):
            return
        self.arrivals.packets.append((now_s, packet.timestamp, packet.payload))


class _Listening(private.StunProtocol):
    """aioice's protocol with media taken out before it tries STUN on it (RFC 7983)."""

    def __init__(self, receiver: private.Connection, media: Callable[[bytes], None]) -> None:
        super().__init__(receiver)
        self._media = media

    def datagram_received(self, data: bytes | str, addr: Any) -> None:
        if isinstance(data, bytes) and data and 128 <= data[0] <= 191:
            self._media(data)
        else:
            super().datagram_received(data, addr)


class ControlEar(asyncio.DatagramProtocol):
    """Where the paced control process sends."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.arrivals = Arrivals()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Note when it came."""
        self.arrivals.packets.append((self._loop.time(), int.from_bytes(data[4:8], "big"), b""))


async def pace(callers: list[BenchCaller], until_s: float) -> None:
    """Let all callers send every 20 ms, spread over the interval, until a loop time; late ticks are not made up."""
    loop = asyncio.get_running_loop()
    step_s = FRAME_S / len(callers)
    due_s = loop.time()
    while due_s < until_s:
        for caller in callers:
            await asyncio.sleep(due_s - loop.time())
            caller.send()
            due_s += step_s
        if loop.time() - due_s > FRAME_S:
            due_s = loop.time()


def median(values: list[float]) -> float | None:
    """Return the median, or None of nothing."""
    return round(statistics.median(values), 3) if values else None
