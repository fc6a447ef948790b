"""Where a voice can be heard, to the sample."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from replay_rig import quiet, tone
from rtbridge.core import pcm
from rtbridge.core.audible import MEMORY_SAMPLES, Ear, samples_before_sound


def ear_on(*chunks: bytes) -> Ear:
    ear = Ear()
    for chunk in chunks:
        for at in range(0, len(chunk), pcm.FRAME_BYTES):
            ear.hear(chunk[at : at + pcm.FRAME_BYTES])
    return ear


@pytest.mark.parametrize("silent_ms", [0, 5, 340, 1500])
def test_the_end_of_a_voice_is_known_to_the_millisecond(silent_ms: int) -> None:
    assert ear_on(quiet(600), tone(300), quiet(silent_ms)).silent_for_ms() == silent_ms


def test_silence_and_nothing_at_all_hold_no_voice() -> None:
    assert ear_on().silent_for_ms() is None
    assert ear_on(quiet(500)).silent_for_ms() is None


def test_a_click_is_no_voice() -> None:
    assert ear_on(quiet(500), tone(400), quiet(300), tone(15), quiet(200)).silent_for_ms() == 515


def test_a_fan_in_the_room_is_not_taken_for_a_voice() -> None:
    fan = np.random.default_rng(7).normal(0, 300, pcm.samples_of_ms(1500)).astype("<i2")
    speech = fan.copy()
    voice = np.frombuffer(tone(400), "<i2")
    speech[2400 : 2400 + len(voice)] += voice
    silent_ms = ear_on(speech.tobytes()).silent_for_ms()
    assert silent_ms == pytest.approx(1500 - 100 - 400, abs=10)
    assert ear_on(fan.tobytes()).silent_for_ms() is None


def test_what_was_heard_long_ago_is_forgotten() -> None:
    ear = ear_on(tone(400), quiet(2_100))
    assert ear.silent_for_ms() is None
    assert ear._samples < MEMORY_SAMPLES + pcm.FRAME_SAMPLES


def test_samples_before_the_first_sound_of_what_is_queued() -> None:
    def chunks(*parts: bytes) -> deque[memoryview]:
        return deque(memoryview(part) for part in parts)

    assert samples_before_sound(chunks(quiet(20), quiet(10) + tone(20))) == pytest.approx(720, abs=1)
    assert samples_before_sound(chunks(tone(20))) == 0
    assert samples_before_sound(chunks(quiet(20))) == 480
    assert samples_before_sound(chunks()) == 0
