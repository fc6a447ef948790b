"""WireCaller: a caller over real WebRTC, made of stock aiortc: the far end of `rtbridge replay --wire` and of tests.

It makes an offer with `oai-events` and one audio track, as a browser would, applies the answer, plays what `speak`
gives and hands what it receives to `listen`. Its receiving side is aiortc's own, with 80 ms of jitter buffer: what
a story hears over the wire is what another stack decoded, not our own code twice. Only under a bad network it listens
with our receiver: aiortc's makes five of each lost packet and adds 200 ms for good at the first, which no browser does.

A bad network (`impairment`) lies between the sockets of the two sides and happens to RTP only: what loses a STUN, DTLS
or SCTP packet is repeated by its sender's clock, and then no two runs would be alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, AudioResampler, Packet

from rtbridge.core.leg import Hear, Pull
from rtbridge.core.pcm import FRAME_SAMPLES, RATE
from rtbridge.errors import Closed
from rtbridge.rtc import private, sockets, telephone_event
from rtbridge.rtc.channel import LABEL
from rtbridge.rtc.codec import Application, OpusEncoder
from rtbridge.rtc.ears import Ears
from rtbridge.rtc.formats import OPUS, Codec, Encoder, codec_of
from rtbridge.rtc.impair import Profile
from rtbridge.rtc.impaired import Impaired
from rtbridge.rtc.rtp import RtpPacket
from rtbridge.rtc.telephone_event import KeysSent

TIME_BASE: Final = Fraction(1, 48_000)
FRAME_S: Final = 0.020
BITRATE: Final = 32_000  # what a browser sends for speech


class _Microphone(MediaStreamTrack):
    """Plays `speak` as packets of `encoder`, one every 20 ms on the loop's clock."""

    kind = "audio"

    def __init__(self, speak: Pull) -> None:
        super().__init__()
        self._speak = speak
        self.encoder: Encoder | None = None  # None until the answer came, and nothing is asked for before
        self._begin_s: float | None = None
        self.frames = 0

    async def recv(self) -> Packet[Any]:
        loop = asyncio.get_running_loop()
        if self._begin_s is None:
            self._begin_s = loop.time()
        await asyncio.sleep(self._begin_s + self.frames * FRAME_S - loop.time())
        assert self.encoder is not None
        packet: Packet[Any] = Packet(self.encoder.encode(self._speak(FRAME_SAMPLES)))
        packet.pts = self.frames * 960
        packet.time_base = TIME_BASE
        self.frames += 1
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
        codec: Codec = OPUS,
        address: str = "127.0.0.1",
    ) -> None:
        """`speak` and `listen` are as `pull` and `hear` of a leg; `message` gets the texts of `oai-events`.

        `codec` is offered before the others. `impairment` is what the network does to RTP, both ways, from
        `impair()` on.
        """
        self._loop = asyncio.get_running_loop()
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._microphone = _Microphone(speak)
        self._pc.addTrack(self._microphone)
        self._channel: RTCDataChannel = self._pc.createDataChannel(LABEL)
        self._channel.on("message", message)
        self._listen = listen
        self._wish = codec
        self.codec: Codec | None = None  # by the answer
        self._impairment = impairment
        self._ears: Ears | None = None
        self._keys: KeysSent | None = None
        self._address = address
        self.uplink = None if impairment is None else Impaired(impairment, "up", self._loop)
        self.downlink = None if impairment is None else Impaired(impairment, "down", self._loop)
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
        offered = RTCRtpSender.getCapabilities("audio").codecs
        wanted = self._wish.rtpmap.partition("/")[0].lower()
        self._pc.getTransceivers()[0].setCodecPreferences(
            sorted(offered, key=lambda codec: codec.mimeType.lower() != f"audio/{wanted}")
        )
        await self._pc.setLocalDescription()
        return telephone_event.offered(self._pc.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        """Apply the SDP answer; the call comes up by itself. Raises Closed for an answer without a codec of ours."""
        payload_type, self.codec = _answered(answer)
        self._microphone.encoder = self._encoder(self.codec, answer)
        await self._pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        if (key_type := telephone_event.accepted(answer)) is not None:
            self._keys = KeysSent(key_type, self.codec.frame_ticks)
            private.rewrite_sent(self._pc.getTransceivers()[0].sender.transport, self._keys.packet)
        if self.uplink is not None and self.downlink is not None:
            ice = self._pc.getTransceivers()[0].receiver.transport.transport
            private.replace_ice_send(ice, self.uplink.sending(private.ice_sender(ice)))
            private.filter_received(private.connection_of(ice), self.downlink.receiving)
            self._ears = Ears(
                timers=self._loop, payload_type=payload_type, failed=self._broke, codec=self.codec
            )
            self._ears.hear = self._listen
            private.tap_rtp(self._pc.getTransceivers()[0].receiver, self._rtp_came)

    def impair(self) -> None:
        """Let the network be bad from now on: with the frame that `speak` gives next, or is giving.

        Counted from the microphone's frame and not from a moment, so that each run loses the same of what is said.
        """
        if self.uplink is not None and self.downlink is not None:
            self.uplink.begin(self._microphone.frames)
            self.downlink.begin(None)

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

    @property
    def takes_keys(self) -> bool:
        """Whether the answer took telephone-events."""
        return self._keys is not None

    def press(self, key: str) -> None:
        """Press a key (RFC 4733), after those that were pressed before: each takes 200 ms. Raises Closed without."""
        if self._keys is None:
            raise Closed("the answer takes no telephone-events")
        self._keys.press(key)

    async def close(self) -> None:
        """Hang up; idempotent."""
        if self._ears is not None:
            self._ears.stop()
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

    def _encoder(self, codec: Codec, answer: str) -> Encoder:
        if codec is not OPUS:
            return codec.encoder()
        # As a browser does it: FEC when the answer asks for it and packets get lost.
        loss = 0.0 if self._impairment is None or "useinbandfec=1" not in answer else self._impairment.loss
        return OpusEncoder(
            application=Application.VOIP,
            bitrate=BITRATE,
            complexity=5,
            expected_loss_percent=math.ceil(loss * 100),
        )

    def _rtp_came(self, packet: RtpPacket) -> None:
        now_s = self._loop.time()
        if self._ears is not None and self._ears.accepts(packet.ssrc, now_s):
            self._ears.packet(packet, now_s)

    def _broke(self, error: Exception) -> None:
        self._loop.call_exception_handler({"message": "the caller's ears broke", "exception": error})
        self._over()

    def _track_came(self, track: MediaStreamTrack) -> None:
        if self._listening is None:
            self._listening = self._loop.create_task(self._hear(track))

    async def _hear(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                for part in resampler.resample(frame) if self._ears is None else ():
                    self._listen(np.asarray(part.to_ndarray(), dtype="<i2").tobytes())

    def _state_changed(self) -> None:
        if self._pc.connectionState in ("failed", "closed"):
            self._over()

    def _over(self) -> None:
        self._opened.set()
        self._ended.set()


def _answered(answer: str) -> tuple[int, Codec]:
    """Return the payload type and codec that an SDP answer settled on."""
    line = re.search(r"^m=audio \d+ \S+ (\d+)", answer, re.MULTILINE)
    if line is not None:
        mapped = re.search(rf"^a=rtpmap:{line[1]} (\S+)", answer, re.MULTILINE)
        codec = codec_of(int(line[1]), None if mapped is None else mapped[1])
        if codec is not None:
            return int(line[1]), codec
    raise Closed("the answer has no audio codec that was offered")
