"""The echo guard: our own voice is known by its likeness, however late and quiet, and nobody else is like it."""

from __future__ import annotations

import numpy as np
import pytest

from rtbridge.bench import sounds
from rtbridge.core import pcm
from rtbridge.core.barge_in import ECHO
from rtbridge.core.echo import REACH_MS, likeness

REACH = pcm.samples_of_ms(REACH_MS)


def voice(seed: int, ms: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.frombuffer(sounds.at_level(sounds.babble(np.random.default_rng(seed), ms), -20), "<i2")


@pytest.mark.parametrize("db", [-15, -30])
@pytest.mark.parametrize("delay_ms", [0, 40, 350, 790])
def test_our_own_voice_is_known_however_late_and_quiet(db: int, delay_ms: int) -> None:
    given = voice(1, 3_000)[: REACH + pcm.samples_of_ms(400)]
    end = len(given) - pcm.samples_of_ms(delay_ms)
    back = given[end - pcm.samples_of_ms(300) : end] * 10 ** (db / 20)
    noise = sounds.room(np.random.default_rng(0), len(back), -65)
    assert likeness((back + noise).astype("<i2"), given) > 0.8


def test_nobody_else_is_like_it() -> None:
    given = voice(1, 2_000)[:REACH]
    assert max(likeness(voice(seed, 300), given) for seed in range(2, 40)) < ECHO


def test_who_speaks_over_an_echo_is_not_one() -> None:
    given = voice(1, 2_000)[:REACH]
    over = voice(2, 300) + (given[-pcm.samples_of_ms(300) :] * 10 ** (-15 / 20)).astype("<i2")
    assert likeness(over, given) < ECHO


def test_nothing_is_like_nothing() -> None:
    given = voice(1, 2_000)[:REACH]
    silent = np.zeros(pcm.samples_of_ms(300), "<i2")
    assert likeness(given[: pcm.samples_of_ms(50)], given) == 0
    assert likeness(silent, given) == 0
    assert likeness(voice(2, 300), np.zeros(REACH, "<i2")) == 0
    assert likeness(voice(2, 300), given[:0]) == 0
