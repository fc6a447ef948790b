"""The telephone's codecs: G.711 (mu-law and A-law, 8 kHz) and G.722 (16 kHz), from and to 24 kHz mono.

G.711 is a table of 256 values each way, made here from the formulas of the recommendation. G.722 is FFmpeg's, by PyAV.
Both are waveforms: a packet is as long as its bytes say, and there is nothing in the next one to repair a loss with.
"""

from __future__ import annotations

import functools
from typing import Any, Final, Literal, cast

import numpy as np
from av import AudioFrame, CodecContext, Packet
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError
from numpy.typing import NDArray

from rtbridge.core.pcm import RATE
from rtbridge.rtc.codec import CodecError
from rtbridge.rtc.resample import Resampler

Law = Literal["mu", "a"]

G711_RATE: Final = 8_000
G722_RATE: Final = 16_000
MAX_PACKET_BYTES: Final = 960  # 120 ms of either


@functools.cache
def _expanded(law: Law) -> NDArray[np.int16]:
    """Return the sample of each of the 256 codes (ITU-T G.711, tables 1a to 2b), scaled to 16 bits."""
    code = np.arange(256, dtype=np.int32) ^ (0xFF if law == "mu" else 0x55)
    segment, step = (code >> 4) & 7, code & 15
    if law == "mu":
        level = (((step << 3) + 132) << segment) - 132
        return np.where(code & 0x80, -level, level).astype(np.int16)
    level = np.where(segment == 0, (step << 4) + 8, ((step << 4) + 264) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, level, -level).astype(np.int16)


@functools.cache
def _compressed(law: Law) -> NDArray[np.uint8]:
    """Return the code that is nearest to each 16-bit sample, by the sample's two's complement as an index."""
    values = _expanded(law).astype(np.int32)
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    samples = np.arange(65_536, dtype=np.int32)
    samples[32_768:] -= 65_536
    above = np.clip(np.searchsorted(ranked, samples), 1, 255)
    nearer_below = samples - ranked[above - 1] <= ranked[above] - samples
    return cast(NDArray[np.uint8], order[np.where(nearer_below, above - 1, above)].astype(np.uint8))


def _bounded(packet: bytes) -> bytes:
    if not 0 < len(packet) <= MAX_PACKET_BYTES:
        raise CodecError(f"a packet of {len(packet)} bytes; 1 to {MAX_PACKET_BYTES} are audio")
    return packet


class G711Decoder:
    """G.711 packets in, 24 kHz mono s16le out: 3 samples a byte."""

    def __init__(self, law: Law) -> None:
        self._table = _expanded(law)
        self._resampler = Resampler(G711_RATE, RATE)

    def decode(self, packet: bytes) -> bytes:
        """Return the PCM of one packet of up to 120 ms. Raises CodecError for an empty or longer one."""
        codes = np.frombuffer(_bounded(packet), dtype=np.uint8)
        return self._resampler.feed(self._table[codes].tobytes())

    def reset(self) -> None:
        """Forget the past."""
        self._resampler.reset()


class G711Encoder:
    """24 kHz mono s16le frames in, G.711 packets out: a byte for 3 samples."""

    def __init__(self, law: Law) -> None:
        self._table = _compressed(law)
        self._resampler = Resampler(RATE, G711_RATE)

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet of one frame."""
        samples = np.frombuffer(self._resampler.feed(pcm), dtype="<u2")
        return bytes(self._table[samples].tobytes())


def _context(mode: Literal["r", "w"]) -> AudioCodecContext:
    context = CodecContext.create("g722", mode)
    context.sample_rate = G722_RATE
    context.layout = "mono"
    if mode == "w":
        context.format = "s16"
    return context


class G722Decoder:
    """G.722 packets in, 24 kHz mono s16le out: 3 samples a byte."""

    def __init__(self) -> None:
        self.reset()

    def decode(self, packet: bytes) -> bytes:
        """Return the PCM of one packet of up to 120 ms. Raises CodecError for an empty or longer one."""
        try:
            frames = self._context.decode(Packet(_bounded(packet)))
        except FFmpegError as error:
            raise CodecError(f"a G.722 packet that does not decode: {error}") from error
        # A plane is padded beyond its samples.
        pcm = b"".join(bytes(frame.planes[0])[: frame.samples * 2] for frame in frames)
        return self._resampler.feed(pcm)

    def reset(self) -> None:
        """Forget the past."""
        self._context = _context("r")
        self._resampler = Resampler(G722_RATE, RATE)


class G722Encoder:
    """24 kHz mono s16le frames in, G.722 packets out: a byte for 3 samples."""

    def __init__(self) -> None:
        self._context = _context("w")
        self._resampler = Resampler(RATE, G722_RATE)
        self._pts = 0

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet of one frame."""
        samples = np.frombuffer(self._resampler.feed(pcm), dtype="<i2")
        frame = AudioFrame.from_ndarray(cast(Any, samples.reshape(1, -1)), format="s16", layout="mono")
        frame.sample_rate = G722_RATE
        frame.pts = self._pts
        self._pts += len(samples)
        return b"".join(bytes(packet) for packet in self._context.encode(frame))
