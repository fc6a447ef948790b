"""Opus through libopus: level, silence, and input that is none."""

from __future__ import annotations

import ctypes.util
import importlib.util
import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from rtbridge.core.pcm import FRAME_BYTES, FRAME_SAMPLES, SILENT_FRAME
from rtbridge.errors import MissingPart
from rtbridge.rtc import codec
from rtbridge.rtc.codec import Application, CodecError, OpusDecoder, OpusEncoder, SpeechEncoder

Tone = Callable[[int], bytes]


@pytest.fixture
def fresh_library() -> Iterator[None]:
    codec.libopus.cache_clear()
    yield
    codec.libopus.cache_clear()


def rms(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(float) ** 2)))


def test_a_tone_keeps_its_level_within_half_a_decibel(make_tone: Callable[..., Tone]) -> None:
    pull, encoder, decoder = make_tone(1000, 10_000), OpusEncoder(), OpusDecoder()
    frames = [pull(FRAME_SAMPLES) for _ in range(50)]
    heard = b"".join(decoder.decode(encoder.encode(frame)) for frame in frames)
    assert len(heard) == 50 * FRAME_BYTES
    steady = 10 * FRAME_BYTES
    assert abs(20 * np.log10(rms(heard[steady:]) / rms(b"".join(frames)[steady:]))) < 0.5


def test_the_encoder_adds_two_and_a_half_ms(make_tone: Callable[..., Tone]) -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    click = np.zeros(FRAME_SAMPLES * 4, dtype="<i2")
    click[FRAME_SAMPLES * 2] = 30_000
    data = click.tobytes()
    heard = b"".join(
        decoder.decode(encoder.encode(data[at : at + FRAME_BYTES])) for at in range(0, len(data), FRAME_BYTES)
    )
    peak = int(np.argmax(np.abs(np.frombuffer(heard, "<i2").astype(int))))
    assert 0 <= peak - FRAME_SAMPLES * 2 <= 72


def test_silence_is_encoded_until_it_has_settled_and_then_cached(make_tone: Callable[..., Tone]) -> None:
    encoder, decoder = SpeechEncoder(), OpusDecoder()
    pull = make_tone(500)
    for _ in range(10):
        decoder.decode(encoder.encode(pull(FRAME_SAMPLES)))
    spoken = encoder.encoded
    silent = [decoder.decode(encoder.encode(SILENT_FRAME)) for _ in range(50)]
    assert 1 < encoder.encoded - spoken <= SpeechEncoder.SETTLE_FRAMES
    assert rms(silent[-1]) == 0.0
    assert encoder.encode(pull(FRAME_SAMPLES)) != encoder.encode(SILENT_FRAME)


def test_speech_after_cached_silence_sounds_as_it_would_without_the_cache(
    make_tone: Callable[..., Tone],
) -> None:
    plain, cached = OpusEncoder(), SpeechEncoder(OpusEncoder())
    left, right = OpusDecoder(), OpusDecoder()
    pull = make_tone(700)
    frames = [*(pull(FRAME_SAMPLES) for _ in range(20)), *[SILENT_FRAME] * 50]
    frames += [pull(FRAME_SAMPLES) for _ in range(20)]
    a = b"".join(left.decode(plain.encode(frame)) for frame in frames)
    b = b"".join(right.decode(cached.encode(frame)) for frame in frames)
    difference = np.frombuffer(a, "<i2").astype(float) - np.frombuffer(b, "<i2").astype(float)
    assert float(np.sqrt(np.mean(difference**2))) < 0.01 * rms(a)


def test_a_silk_encoder_settles_too() -> None:
    encoder = SpeechEncoder(OpusEncoder(application=Application.VOIP, bitrate=32_000, complexity=5))
    for _ in range(50):
        encoder.encode(SILENT_FRAME)
    assert encoder.encoded <= SpeechEncoder.SETTLE_FRAMES


def test_a_browsers_packets_decode_too(make_tone: Callable[..., Tone]) -> None:
    encoder = OpusEncoder(
        application=Application.VOIP, bitrate=24_000, complexity=5, expected_loss_percent=10
    )
    pull, decoder = make_tone(300), OpusDecoder()
    assert {len(decoder.decode(encoder.encode(pull(FRAME_SAMPLES)))) for _ in range(10)} == {FRAME_BYTES}


def test_concealment_has_the_length_that_was_asked_for(make_tone: Callable[..., Tone]) -> None:
    encoder, decoder, pull = OpusEncoder(), OpusDecoder(), make_tone(300)
    for _ in range(5):
        decoder.decode(encoder.encode(pull(FRAME_SAMPLES)))
    assert len(decoder.conceal(FRAME_SAMPLES)) == FRAME_BYTES
    decoder.reset()
    assert decoder.conceal(FRAME_SAMPLES) == SILENT_FRAME


def test_random_packets_decode_to_at_most_120_ms_or_raise_codec_error() -> None:
    chance, decoder = random.Random(3), OpusDecoder()
    refused = 0
    for _ in range(500):
        try:
            assert len(decoder.decode(chance.randbytes(chance.randrange(0, 200)))) <= 2880 * 2
        except CodecError:
            refused += 1
    assert 0 < refused < 500


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="480 samples, not 240"):
        OpusEncoder().encode(bytes(480))


def test_a_setting_that_libopus_refuses_is_named() -> None:
    with pytest.raises(CodecError, match=r"invalid argument.*4010"):
        OpusEncoder(complexity=11)


@pytest.mark.usefixtures("fresh_library")
def test_without_any_libopus_the_error_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(MissingPart, match="package 'av'"):
        codec.libopus()


@pytest.mark.usefixtures("fresh_library")
def test_a_library_that_does_not_load_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: "libopus-that-is-not-there.so")
    with pytest.raises(MissingPart):
        codec.libopus()
