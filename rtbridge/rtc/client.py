"""WireCaller: a caller over real WebRTC, made of stock aiortc: the far end of `rtbridge replay --wire` and of tests.

It makes an offer with `oai-events` and one audio track, as a browser would, applies the answer, plays what `speak`
gives and hands what it receives to `listen`. Its receiving side is aiortc's own, with 80 ms of jitter buffer: what
a story hears over the wire is what another stack decoded, not our own code twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, AudioResampler, Packet

from rtbridge.core.leg import Hear, Pull
from rtbridge.core.pcm import FRAME_SAMPLES, RATE
from rtbridge.errors import Closed
from rtbridge.rtc import private, sockets
from rtbridge.rtc.channel import LABEL
from rtbridge.rtc.codec import Application, OpusEncoder
from rtbridge.rtc.impair import Impairment, Profile
from rtbridge.rtc.rtp import is_rtcp

TIME_BASE: Final = Fraction(1, 48_000)
FRAME_S: Final = 0.020
BITRATE: Final = 32_000  # what a browser sends for speech


class _Microphone(MediaStreamTrack):
    """Plays `speak` as Opus packets, one every 20 ms on the loop's clock."""

    kind = "audio"

    def __init__(self, speak: Pull) -> None:
        super().__init__()
        self._speak = speak
        self._encoder = OpusEncoder(application=Application.VOIP, bitrate=BITRATE, complexity=5)
        self._begin_s: float | None = None
        self._frames = 0

    async def recv(self) -> Packet[Any]:
        loop = asyncio.get_running_loop()
        if self._begin_s is None:
            self._begin_s = loop.time()
        await asyncio.sleep(self._begin_s + self._frames * FRAME_S - loop.time())
        packet: Packet[Any] = Packet(self._encoder.encode(self._speak(FRAME_SAMPLES)))
        packet.pts = self._frames * 960
        packet.time_base = TIME_BASE
        self._frames += 1
        return packet


class WireCaller:
    """One call from the caller's side. Used once: offer, accept, talk, close."""

    def __init__(
        self,
        *,
        speak: Pull,
        listen: Hear,
        message: Callable[[str], None] = lambda text: None,
        impairment: Profile | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        """`speak` and `listen` are as `pull` and `hear` of a leg; `message` gets the texts of `oai-events`.

        `impairment` is what the network does to the caller's RTP on its way up.
        """
        self._loop = asyncio.get_running_loop()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._pc.addTrack(_Microphone(speak))
        self._channel: RTCDataChannel = self._pc.createDataChannel(LABEL)
        self._channel.on("message", message)
        self._listen = listen
        self._address = address
        self.impairment = None if impairment is None else Impairment(impairment)
        self._listening: asyncio.Task[None] | None = None
        self._opened = asyncio.Event()
        self._ended = asyncio.Event()
        self._channel.on("open", self._opened.set)
        self._channel.on("close", self._over)
        self._pc.on("connectionstatechange", self._state_changed)
        self._pc.on("track", self._track_came)

    @property
    def pc(self) -> RTCPeerConnection:
        """Aiortc's own object, for what a test wants to do to it."""
        return self._pc

    @property
    def channel(self) -> RTCDataChannel:
        """The data channel `oai-events`."""
        return self._channel

    async def offer(self) -> str:
        """Return the SDP offer, candidates of this host's address included."""
        for transport in {self._pc.getTransceivers()[0].receiver.transport, self._sctp_transport()}:
            self._bind(private.connection_of(transport.transport))
        await self._pc.setLocalDescription()
        return self._pc.localDescription.sdp

    async def accept(self, answer: str) -> None:
        """Apply the SDP answer; the call comes up by itself."""
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        if self.impairment is not None:
            ice = self._pc.getTransceivers()[0].receiver.transport.transport
            private.replace_ice_send(ice, self._impaired(private.ice_sender(ice)))

    async def opened(self, timeout_s: float = 15.0) -> None:
        """Wait until `oai-events` is open. Raises Closed when the call ended first, TimeoutError after `timeout_s`."""
        async with asyncio.timeout(timeout_s):
            await self._opened.wait()
        if self._channel.readyState != "open":
            raise Closed("the call ended before oai-events was open")

    async def ended(self) -> None:
        """Wait until the other side has ended the call."""
        await self._ended.wait()

    def send(self, text: str) -> None:
        """Send one JSON event. Raises Closed when the channel is not open."""
        if self._channel.readyState != "open":
            raise Closed("oai-events is not open")
        self._channel.send(text)

    async def close(self) -> None:
        """Hang up; idempotent."""
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None
        await self._pc.close()
        self._over()

    def _sctp_transport(self) -> RTCDtlsTransport:
        assert self._pc.sctp is not None
        return self._pc.sctp.transport

    def _bind(self, connection: private.Connection) -> None:
        """Bind media to the one address; aioice would leave 127.0.0.1 out."""

        async def gather(component: int, addresses: object) -> list[private.Candidate]:
            return await sockets.gather(
                connection,
                lambda: private.StunProtocol(connection),
                bind=(self._address,),
                ports=None,
                component=component,
            )

        private.replace_gathering(connection, gather)

    def _impaired(self, send: private.IceSend) -> private.IceSend:
        assert self.impairment is not None
        impairment = self.impairment
        tasks: set[asyncio.Task[None]] = set()

        async def later(data: bytes, delay_s: float) -> None:
            await asyncio.sleep(delay_s)
            with contextlib.suppress(ConnectionError):
                await send(data)

        async def impaired(data: bytes) -> None:
            if not 128 <= data[0] <= 191 or is_rtcp(data):
                await send(data)
                return
            delay_s = impairment.plan(self._loop.time())
            if delay_s is None:
                return
            if delay_s <= 0:
                await send(data)
                return
            task = self._loop.create_task(later(data, delay_s))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        return impaired

    def _track_came(self, track: MediaStreamTrack) -> None:
        if self._listening is None:
            self._listening = self._loop.create_task(self._hear(track))

    async def _hear(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                for part in resampler.resample(frame):
                    self._listen(np.asarray(part.to_ndarray(), dtype="<i2").tobytes())

    def _state_changed(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self._over()

    def _over(self) -> None:
        self._opened.set()
        self._ended.set()
