"""What kind of sound it is: speech, a cough, a keyboard, a hum, a laugh, each drawn fifty times by a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rtbridge.bench import sounds
from rtbridge.core import pcm
from rtbridge.core.voicing import Sound, decimated, sound_in, voice_from

SEEDS = range(50)


def heard(sound: sounds.Floats, dbfs: float = -24, *, quiet_ms: int = 0) -> Sound:
    """Return what is made of the first half second of a sound in a quiet room."""
    audio = np.frombuffer(sounds.at_level(sound, dbfs), "<i2")[: pcm.samples_of_ms(500)]
    before, after = np.zeros(pcm.samples_of_ms(400), "<i2"), np.zeros(pcm.samples_of_ms(quiet_ms), "<i2")
    return sound_in(np.concatenate([before, audio, after]))


def of_many(make: Callable[[np.random.Generator], sounds.Floats]) -> list[Sound]:
    return [heard(make(np.random.default_rng(seed))) for seed in SEEDS]


def test_somebody_who_speaks_is_voiced_most_of_the_time() -> None:
    many = of_many(lambda chance: sounds.babble(chance, 500))
    assert min(one.voiced_ms for one in many) >= 200
    assert sum(one.hummed for one in many) <= 3  # those of "ee" alone
    assert sum(one.laughed for one in many) <= 3


@pytest.mark.parametrize("make", [sounds.cough, sounds.typing])
def test_a_cough_and_a_keyboard_are_not_voiced_for_as_long_as_a_word(
    make: Callable[[np.random.Generator], sounds.Floats],
) -> None:
    assert sum(one.voiced_ms >= 80 for one in of_many(make)) <= 1


def test_a_hum_has_closed_lips() -> None:
    many = of_many(sounds.hum)
    assert all(one.hummed and one.voiced_ms >= 120 for one in many)
    assert not any(one.laughed for one in many)


def test_a_laugh_is_the_same_again_and_again() -> None:
    assert sum(one.laughed for one in of_many(sounds.laugh)) >= 45


def test_a_sound_is_as_long_as_it_is_audible_and_over_since_then() -> None:
    told = heard(sounds.babble(np.random.default_rng(0), 300), quiet_ms=200)
    assert told.span_ms == pytest.approx(300, abs=70)
    assert told.quiet_ms == pytest.approx(200, abs=50)


def test_only_the_last_of_two_sounds_counts() -> None:
    chance = np.random.default_rng(0)
    two = np.concatenate(
        [sounds.babble(chance, 400), np.zeros(pcm.samples_of_ms(500)), sounds.babble(chance, 250)]
    )
    assert sound_in(np.frombuffer(sounds.at_level(two, -24), "<i2")).span_ms == pytest.approx(250, abs=70)


def test_a_room_is_no_sound_and_neither_is_nothing() -> None:
    fan = sounds.room(np.random.default_rng(0), pcm.samples_of_ms(500), -45).astype("<i2")
    assert sound_in(fan, floor=32768 * 10 ** (-45 / 20)).span_ms == 0
    assert sound_in(fan[:0]) == Sound()
    assert sound_in(fan[: pcm.samples_of_ms(20)]).quiet_ms > 0
    assert len(decimated(fan[:10])) == 0


def test_two_low_syllables_of_nothing_but_pulses_are_not_told_apart() -> None:
    flat = np.zeros(pcm.samples_of_ms(500), "<i2")
    flat[:: pcm.RATE // 120] = 20_000
    assert not sound_in(flat).laughed


def test_a_voice_begins_where_its_first_syllable_does() -> None:
    chance = np.random.default_rng(2)
    breath = 0.05 * chance.standard_normal(pcm.samples_of_ms(200))
    voice = sounds.babble(chance, 400)
    audio = np.concatenate([breath * np.abs(voice).max(), voice])
    said = np.frombuffer(sounds.at_level(audio, -20), "<i2")
    assert voice_from(said) == pytest.approx(190, abs=60)
    assert voice_from(said[: pcm.samples_of_ms(10)]) is None
    assert voice_from(said[: pcm.samples_of_ms(100)]) is None
