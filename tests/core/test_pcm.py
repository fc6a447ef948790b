"""The audio format's arithmetic."""

from __future__ import annotations

import pytest

from rtbridge.core import pcm


def test_a_frame_is_twenty_milliseconds_of_24_khz_mono() -> None:
    assert pcm.samples_of(pcm.SILENT_FRAME) == pcm.FRAME_SAMPLES == 480
    assert pcm.ms_of_samples(480) == 20
    assert pcm.samples_of_ms(20) == 480


def test_half_a_sample_is_refused_with_its_length() -> None:
    with pytest.raises(ValueError, match="3 bytes"):
        pcm.samples_of(b"abc")


def test_milliseconds_are_rounded_down_so_that_no_truncation_claims_more_than_was() -> None:
    assert pcm.ms_of_samples(479) == 19
    assert pcm.samples_of_ms(0.99) == 23


def test_silence_is_as_long_as_asked_for() -> None:
    assert pcm.silence(3) == bytes(6)
