"""The telephone's codecs and the table of all of them: rates, sample counts, levels, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from av import CodecContext, Packet

from rtbridge.core.pcm import FRAME_BYTES, FRAME_SAMPLES, RATE
from rtbridge.rtc.codec import CodecError
from rtbridge.rtc.formats import CODECS, G722, OPUS, PCMA, PCMU, Codec, codec_of
from rtbridge.rtc.resample import Resampler
from rtbridge.rtc.telephone import G711Decoder, Law

Tone = Callable[[int], bytes]

TELEPHONE = pytest.mark.parametrize("codec", [PCMU, PCMA, G722], ids=lambda codec: codec.name)


def samples(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def level(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(samples(pcm) ** 2)))


@TELEPHONE
def test_twenty_seconds_come_out_as_long_as_they_went_in(
    codec: Codec, make_tone: Callable[..., Tone]
) -> None:
    pull, encoder, decoder = make_tone(440), codec.encoder(), codec.decoder()
    for n in range(1000):
        packet = encoder.encode(pull(FRAME_SAMPLES))
        assert len(packet) == 160, n
        assert len(decoder.decode(packet)) == FRAME_BYTES, n


@TELEPHONE
@pytest.mark.parametrize("hertz", [300, 1000, 3000])
def test_a_tone_keeps_its_level_and_pitch(codec: Codec, hertz: int, make_tone: Callable[..., Tone]) -> None:
    pull, encoder, decoder = make_tone(hertz, 8000), codec.encoder(), codec.decoder()
    heard = b"".join(decoder.decode(encoder.encode(pull(FRAME_SAMPLES))) for _ in range(100))[
        10 * FRAME_BYTES :
    ]
    assert level(heard) == pytest.approx(8000 / 2**0.5, rel=0.06)  # 0.5 dB
    spectrum = np.abs(np.fft.rfft(samples(heard)))
    assert np.argmax(spectrum) * RATE / len(samples(heard)) == pytest.approx(hertz, abs=2)


@pytest.mark.parametrize(("law", "name"), [("mu", "pcm_mulaw"), ("a", "pcm_alaw")])
def test_the_table_of_g711_is_that_of_another_implementation(law: Law, name: str) -> None:
    context = CodecContext.create(name, "r")
    context.sample_rate, context.layout = 8000, "mono"  # type: ignore[attr-defined]
    (frame,) = context.decode(Packet(bytes(range(256))))  # type: ignore[attr-defined]
    assert G711Decoder(law)._table.tobytes() == bytes(frame.planes[0])[:512]


@TELEPHONE
def test_a_packet_may_be_10_to_120_ms_and_nothing_else(codec: Codec) -> None:
    decoder = codec.decoder()
    assert len(decoder.decode(b"\x55" * 80)) == FRAME_BYTES // 2
    assert len(decoder.decode(b"\x55" * 960)) == 6 * FRAME_BYTES
    for wrong in (b"", b"\x55" * 961):
        with pytest.raises(CodecError, match=r"1 to 960 are audio"):
            decoder.decode(wrong)


@TELEPHONE
def test_any_bytes_are_some_sound_of_their_length(codec: Codec) -> None:
    chance, decoder = random.Random(4), codec.decoder()
    for _ in range(50):
        data = chance.randbytes(chance.randrange(1, 961))
        assert len(decoder.decode(data)) == 6 * len(data)


@TELEPHONE
def test_after_a_reset_the_past_is_not_heard(codec: Codec, make_tone: Callable[..., Tone]) -> None:
    pull, encoder, decoder = make_tone(440), codec.encoder(), codec.decoder()
    silent = codec.encoder().encode(bytes(FRAME_BYTES))
    decoder.decode(encoder.encode(pull(FRAME_SAMPLES)))
    decoder.reset()
    assert decoder.decode(silent) == codec.decoder().decode(silent)


@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(8000, 24_000), (24_000, 8000), (16_000, 24_000), (24_000, 16_000)]
)
def test_resampling_in_pieces_is_resampling_the_whole(
    from_rate: int, to_rate: int, make_tone: Callable[..., Tone]
) -> None:
    pcm = make_tone(700)(from_rate)
    whole, pieces = Resampler(from_rate, to_rate), Resampler(from_rate, to_rate)
    step = from_rate // 50 * 2
    out = b"".join(pieces.feed(pcm[at : at + step]) for at in range(0, len(pcm), step))
    assert len(out) == 2 * to_rate
    assert np.abs(samples(out) - samples(whole.feed(pcm))).max() <= 1  # the last bit of a float


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1 samples times 3/2 is no whole number"):
        Resampler(16_000, 24_000).feed(b"\0\0")


@pytest.mark.parametrize(
    ("payload_type", "rtpmap", "codec"),
    [
        (111, "opus/48000/2", OPUS),
        (96, "OPUS/48000/2", OPUS),
        (111, "opus/48000", None),
        (77, "opus/48000/2", None),
        (0, None, PCMU),
        (0, "PCMU/8000", PCMU),
        (0, "pcmu/8000/1", PCMU),
        (8, "PCMA/8000", PCMA),
        (9, "G722/8000", G722),
        (100, "G722/8000", G722),
        (9, "G722/16000", None),
        (8, "PCMU/8000", None),
        (13, None, None),
        (63, "red/48000/2", None),
        (126, "telephone-event/8000", None),
    ],
)
def test_a_format_of_an_offer_is_one_codec_or_none(
    payload_type: int, rtpmap: str | None, codec: Codec | None
) -> None:
    assert codec_of(payload_type, rtpmap) is codec


def test_a_frame_is_20_ms_of_every_rtp_clock() -> None:
    assert {name: codec.frame_ticks for name, codec in CODECS.items()} == {
        "opus": 960,
        "pcmu": 160,
        "pcma": 160,
        "g722": 160,
    }
