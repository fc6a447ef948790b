"""Where a voice can be heard, to the sample."""

from __future__ import annotations

import numpy as np
import pytest

from replay_rig import quiet, tone
from rtbridge.core import pcm
from rtbridge.core.audible import MEMORY_SAMPLES, Ear, sound_within


def ear_on(*chunks: bytes) -> Ear:
    ear = Ear()
    for chunk in chunks:
        for at in range(0, len(chunk), pcm.FRAME_BYTES):
            ear.hear(chunk[at : at + pcm.FRAME_BYTES])
    return ear


def silent_for_ms(ear: Ear) -> int | None:
    end = ear.voice_end()
    return None if end is None else pcm.ms_of_samples(ear.heard - end)


@pytest.mark.parametrize("silent_ms", [0, 5, 340, 1500])
def test_the_end_of_a_voice_is_known_to_the_millisecond(silent_ms: int) -> None:
    assert silent_for_ms(ear_on(quiet(600), tone(300), quiet(silent_ms))) == silent_ms


def test_silence_and_nothing_at_all_hold_no_voice() -> None:
    assert silent_for_ms(ear_on()) is None
    assert silent_for_ms(ear_on(quiet(500))) is None


def test_a_click_is_no_voice() -> None:
    assert silent_for_ms(ear_on(quiet(500), tone(400), quiet(300), tone(15), quiet(200))) == 515


def test_a_fan_in_the_room_is_not_taken_for_a_voice() -> None:
    fan = np.random.default_rng(7).normal(0, 300, pcm.samples_of_ms(1500)).astype("<i2")
    speech = fan.copy()
    voice = np.frombuffer(tone(400), "<i2")
    speech[2400 : 2400 + len(voice)] += voice
    silent_ms = silent_for_ms(ear_on(speech.tobytes()))
    assert silent_ms == pytest.approx(1500 - 100 - 400, abs=10)
    assert silent_for_ms(ear_on(fan.tobytes())) is None


def test_what_was_heard_long_ago_is_forgotten() -> None:
    ear = ear_on(tone(400), quiet(2_100))
    assert silent_for_ms(ear) is None
    assert ear._samples < MEMORY_SAMPLES + pcm.FRAME_SAMPLES


def test_a_room_is_never_taken_to_be_louder_than_a_voice_that_does_not_pause() -> None:
    assert silent_for_ms(ear_on(tone(1_960), quiet(60))) == 60


@pytest.mark.parametrize(
    ("sound", "within_ms", "at_ms"),
    [
        ((quiet(30), tone(200)), 60, 30),
        ((quiet(35), tone(200)), 40, 35),
        ((quiet(40), tone(200)), 40, None),  # it begins with the next
        ((quiet(39), tone(200)), 36, None),
        ((quiet(10), tone(8), quiet(200), tone(200)), 40, None),  # a click
        ((quiet(10), tone(30), quiet(200)), 40, 10),
        ((quiet(10), tone(10)), 20, 10),  # nobody knows what follows
        ((tone(20),), 20, 0),
        ((quiet(20),), 20, None),
        ((b"",), 0, None),
    ],
)
def test_where_the_first_sound_is_of_what_is_heard_next(
    sound: tuple[bytes, ...], within_ms: int, at_ms: int | None
) -> None:
    at = sound_within(b"".join(sound), pcm.samples_of_ms(within_ms))
    assert at == (None if at_ms is None else pytest.approx(pcm.samples_of_ms(at_ms), abs=2))
