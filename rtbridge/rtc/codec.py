"""Opus (RFC 6716) by ctypes on the libopus that PyAV's wheel already ships: no dependency of our own.

Why not PyAV itself: it offers neither a 24 kHz decoder, nor concealment, nor RESTRICTED_LOWDELAY with a chosen
complexity, and it goes through frames and resamplers. Calls here take 20-100 us, so they hold the GIL (PyDLL) and
run on the event loop; code that moves them to threads must load the library with CDLL instead.

Both ends work at 24 kHz mono, which libopus does natively: no resampler on either road.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Final

from rtbridge.core.pcm import FRAME_BYTES, FRAME_SAMPLES, RATE, SILENT_FRAME, samples_of
from rtbridge.errors import MissingPart

MAX_PACKET_BYTES: Final = 1275  # RFC 6716 §3.2.1: the longest Opus frame
MAX_PACKET_SAMPLES: Final = RATE * 120 // 1000  # RFC 6716 §3.1: at most 120 ms in a packet

# opus_defines.h of libopus: the request numbers of opus_encoder_ctl and opus_decoder_ctl.
_SET_BITRATE: Final = 4002
_SET_VBR_CONSTRAINT: Final = 4020
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS_PERC: Final = 4014
_RESET_STATE: Final = 4028


class Application(IntEnum):
    """What the encoder is for (OPUS_APPLICATION_*)."""

    VOIP = 2048
    RESTRICTED_LOWDELAY = 2051


class CodecError(ValueError):
    """Libopus refused its input; the message has its error number."""


def _places() -> Iterator[str]:
    spec = importlib.util.find_spec("av")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        # auditwheel puts bundled libraries into <package>.libs, delocate into <package>/.dylibs.
        yield from map(str, sorted(package.parent.glob("av.libs/libopus-*.so*")))
        yield from map(str, sorted(package.glob(".dylibs/libopus*.dylib")))
    if system := ctypes.util.find_library("opus"):
        yield system


@functools.cache
def libopus() -> ctypes.PyDLL:
    """Return libopus with its prototypes set. Raises MissingPart when there is none that loads."""
    for place in _places():
        try:
            library = ctypes.PyDLL(place)
        except OSError:
            continue
        library.opus_get_version_string.restype = ctypes.c_char_p
        library.opus_strerror.restype = ctypes.c_char_p
        library.opus_decoder_create.argtypes = [ctypes.c_int32, ctypes.c_int, ctypes.POINTER(ctypes.c_int)]
        library.opus_decoder_create.restype = ctypes.c_void_p
        library.opus_decoder_destroy.argtypes = [ctypes.c_void_p]
        library.opus_decode.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_int32,
            ctypes.c_void_p,
            ctypes.c_int,
            ctypes.c_int,
        ]
        library.opus_packet_get_nb_samples.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32]
        if hasattr(library, "opus_packet_has_lbrr"):  # libopus 1.5; PyAV's is newer, a system's may be older
            library.opus_packet_has_lbrr.argtypes = [ctypes.c_char_p, ctypes.c_int32]
        library.opus_decoder_ctl.argtypes = [ctypes.c_void_p, ctypes.c_int]
        library.opus_encoder_create.argtypes = [
            ctypes.c_int32,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.POINTER(ctypes.c_int),
        ]
        library.opus_encoder_create.restype = ctypes.c_void_p
        library.opus_encoder_destroy.argtypes = [ctypes.c_void_p]
        library.opus_encode.argtypes = [
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_int32,
        ]
        library.opus_encoder_ctl.argtypes = [ctypes.c_void_p, ctypes.c_int]
        return library
    raise MissingPart(
        "libopus was not found: it comes with the wheels of the package 'av'; "
        "with an 'av' built from source install the system's libopus (apt-get install libopus0)"
    )


def _check(code: int, doing: str) -> int:
    if code < 0:
        raise CodecError(f"libopus error {code} ({libopus().opus_strerror(code).decode()}) while {doing}")
    return code


class OpusDecoder:
    """Opus packets in, 24 kHz mono s16le out; keeps the decoder's state from packet to packet."""

    def __init__(self) -> None:
        self._lib = libopus()
        error = ctypes.c_int()
        self._state = self._lib.opus_decoder_create(RATE, 1, ctypes.byref(error))
        _check(error.value, "creating a decoder")
        self._out = bytearray(MAX_PACKET_SAMPLES * 2)
        self._view = memoryview(self._out)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._out))

    def decode(self, packet: bytes) -> bytes:
        """Return the PCM of one packet, 2.5 to 120 ms. Raises CodecError on a packet that is none."""
        if not packet:
            raise CodecError("an empty Opus packet")
        samples = self._lib.opus_decode(
            self._state, packet, len(packet), self._address, MAX_PACKET_SAMPLES, 0
        )
        _check(samples, "decoding a packet")
        return bytes(self._view[: samples * 2])

    def conceal(self, samples: int) -> bytes:
        """Return `samples` of concealment for packets that never came (libopus PLC; whole 2.5 ms, <= 120 ms)."""
        _check(self._lib.opus_decode(self._state, None, 0, self._address, samples, 0), "concealing")
        return bytes(self._view[: samples * 2])

    def repeats_last(self, packet: bytes) -> bool:
        """Tell whether a packet holds the audio before it a second time (RFC 6716 §2.1.7); no with libopus < 1.5."""
        has_lbrr = getattr(self._lib, "opus_packet_has_lbrr", None)
        return has_lbrr is not None and has_lbrr(packet, len(packet)) == 1

    def samples_in(self, packet: bytes) -> int:
        """Return how many samples a packet decodes to. Raises CodecError on a packet that is none."""
        samples = self._lib.opus_packet_get_nb_samples(packet, len(packet), RATE)
        return _check(samples, "looking into a packet")

    def recover(self, following: bytes, samples: int) -> bytes:
        """Return the `samples` before the packet `following`, from its in-band FEC (whole 2.5 ms, <= 120 ms).

        Decode `following` itself afterwards. What the packet does not hold again is concealed.
        """
        code = self._lib.opus_decode(self._state, following, len(following), self._address, samples, 1)
        _check(code, "recovering a lost packet")
        return bytes(self._view[: samples * 2])

    def reset(self) -> None:
        """Forget the past, as for a new stream."""
        _check(self._lib.opus_decoder_ctl(self._state, _RESET_STATE), "resetting a decoder")

    def __del__(self) -> None:
        if state := getattr(self, "_state", None):
            self._lib.opus_decoder_destroy(state)
            self._state = None


class OpusEncoder:
    """24 kHz mono s16le frames of 20 ms in, Opus packets out.

    The defaults are CELT at 64 kbit/s and complexity 0: 2.5 ms of lookahead, a third of the CPU of SILK at
    32 kbit/s, and a better score. VOIP at 24-32 kbit/s is for narrow links and for playing a browser.
    """

    def __init__(
        self,
        *,
        application: Application = Application.RESTRICTED_LOWDELAY,
        bitrate: int = 64_000,
        complexity: int = 0,
        expected_loss_percent: int = 0,
    ) -> None:
        self._lib = libopus()
        error = ctypes.c_int()
        self._state = self._lib.opus_encoder_create(RATE, 1, int(application), ctypes.byref(error))
        _check(error.value, "creating an encoder")
        self._out = bytearray(MAX_PACKET_BYTES)
        self._view = memoryview(self._out)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._out))
        self._set(_SET_BITRATE, bitrate)
        self._set(_SET_COMPLEXITY, complexity)
        self._set(_SET_VBR_CONSTRAINT, 1)
        if expected_loss_percent:
            self._set(_SET_INBAND_FEC, 1)
            self._set(_SET_PACKET_LOSS_PERC, expected_loss_percent)

    def _set(self, request: int, value: int) -> None:
        code = self._lib.opus_encoder_ctl(self._state, request, ctypes.c_int32(value))
        _check(code, f"setting {request} to {value}")

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet of one 20 ms frame (960 bytes). Raises ValueError on any other length."""
        if len(pcm) != FRAME_BYTES:
            raise ValueError(f"a frame is {FRAME_SAMPLES} samples, not {samples_of(pcm)}")
        size = self._lib.opus_encode(self._state, pcm, FRAME_SAMPLES, self._address, MAX_PACKET_BYTES)
        return bytes(self._view[: _check(size, "encoding a frame")])

    def __del__(self) -> None:
        if state := getattr(self, "_state", None):
            self._lib.opus_encoder_destroy(state)
            self._state = None


class SpeechEncoder:
    """An OpusEncoder that stops encoding once silence has settled, and sends the same silent packet again.

    Digital silence costs as much as speech (in SILK twice as much), and an agent is silent most of a call. The
    tail of the encoder's filters is encoded first, a dozen frames after loud speech, until what comes out is CELT's
    packet for silence; a SILK encoder never says so, and has settled by then anyway.
    """

    SETTLE_FRAMES: Final = 16
    SILENT_PACKET_BYTES: Final = 3  # a CELT frame that is only its silence flag (RFC 6716 §4.3)

    def __init__(self, encoder: OpusEncoder | None = None) -> None:
        self._encoder = OpusEncoder() if encoder is None else encoder
        self._silent_frames = 0
        self._silent_packet: bytes | None = None
        self.encoded = 0  # frames that cost an encode

    def encode(self, pcm: bytes) -> bytes:
        """Return the packet of one 20 ms frame."""
        if pcm != SILENT_FRAME:
            self._silent_frames = 0
            self._silent_packet = None
        elif self._silent_packet is not None:
            return self._silent_packet
        else:
            self._silent_frames += 1
        self.encoded += 1
        packet = self._encoder.encode(pcm)
        if self._silent_frames and (
            len(packet) <= self.SILENT_PACKET_BYTES or self._silent_frames >= self.SETTLE_FRAMES
        ):
            self._silent_packet = packet
        return packet
