"""The audio codecs of a call: Opus, and the telephone's G.711 and G.722, each from and to 24 kHz mono.

A row a codec: how it is named in SDP, its RTP clock, and who decodes and encodes it. Of an offer, the first format
that has a row here is the call's codec, both ways (offer.py); a browser names Opus first unless it is told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from rtbridge.rtc import telephone
from rtbridge.rtc.codec import OpusDecoder, SpeechEncoder

FRAMES_A_SECOND: Final = 50


class Decoder(Protocol):
    """Packets in, 24 kHz mono s16le out; state goes on from packet to packet."""

    def decode(self, packet: bytes, /) -> bytes:
        """Return the PCM of one packet. Raises CodecError on a packet that is none."""
        ...

    def reset(self) -> None:
        """Forget the past, as for a new stream."""
        ...


class Encoder(Protocol):
    """24 kHz mono s16le frames of 20 ms in, packets out."""

    def encode(self, pcm: bytes, /) -> bytes:
        """Return the packet of one frame (960 bytes)."""
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec. Equal by name."""

    name: str  # as a story and a setting have it
    rtpmap: str  # encoding name/clock rate[/channels], RFC 8866 §6.6
    static_type: int | None  # RFC 3551 §6: the payload type that needs no rtpmap
    clock_rate: (
        int  # of RTP timestamps; G.722's is half its sampling rate, by an old mistake (RFC 3551 §4.5.2)
    )
    decoder: Callable[[], Decoder]
    encoder: Callable[[], Encoder]
    held_ms: float  # by how much what an encoder is given comes out of it later: lookahead, and filters

    @property
    def frame_ticks(self) -> int:
        """Return how far the RTP clock moves in a frame of 20 ms."""
        return self.clock_rate // FRAMES_A_SECOND


def _g711(law: telephone.Law) -> tuple[Callable[[], Decoder], Callable[[], Encoder]]:
    return lambda: telephone.G711Decoder(law), lambda: telephone.G711Encoder(law)


OPUS: Final = Codec(
    "opus", "opus/48000/2", None, 48_000, OpusDecoder, SpeechEncoder, 2.5
)  # RFC 6716 §2: of CELT
PCMU: Final = Codec("pcmu", "PCMU/8000", 0, 8_000, *_g711("mu"), 1.5)  # half of the resampler's taps
PCMA: Final = Codec("pcma", "PCMA/8000", 8, 8_000, *_g711("a"), 1.5)
G722: Final = Codec("g722", "G722/8000", 9, 8_000, telephone.G722Decoder, telephone.G722Encoder, 1.5)

CODECS: Final = {codec.name: codec for codec in (OPUS, PCMU, PCMA, G722)}


def codec_of(payload_type: int, rtpmap: str | None) -> Codec | None:
    """Return the codec of one format of an m-line, None when there is no row for it.

    `rtpmap` is the value of its a=rtpmap after the payload type. Channels of 1 may be left unsaid (RFC 8866 §6.6).
    """
    if rtpmap is None:
        return next((codec for codec in CODECS.values() if codec.static_type == payload_type), None)
    said = rtpmap.lower().removesuffix("/1")
    for codec in CODECS.values():
        if said == codec.rtpmap.lower():
            # RFC 7587 §7 leaves Opus to the dynamic types; RFC 5761 §4 keeps 64-95 for RTCP.
            return codec if payload_type >= 96 or payload_type == codec.static_type else None
    return None
