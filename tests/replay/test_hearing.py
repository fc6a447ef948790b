"""Where sound begins and ends in a stream, to the sample."""

from __future__ import annotations

import numpy as np
import pytest

from rtbridge.core import pcm
from rtbridge.replay.hearing import AUDIBLE, Burst, Hearing, audible_span, bursts_of


def tone(ms: int, *, level: int = 6000) -> bytes:
    t = np.arange(pcm.samples_of_ms(ms)) / pcm.RATE
    return (level * np.cos(2 * np.pi * 300 * t)).astype("<i2").tobytes()


def quiet(ms: int) -> bytes:
    return pcm.silence(pcm.samples_of_ms(ms))


def in_ms(bursts: tuple[Burst, ...]) -> list[tuple[int, int]]:
    return [(round(b.start / 24), round(b.end / 24)) for b in bursts]


def test_a_burst_runs_from_its_first_to_its_last_audible_sample() -> None:
    (burst,) = bursts_of(quiet(123) + tone(400) + quiet(500))
    assert burst.start == pcm.samples_of_ms(123)
    assert abs(burst.end - pcm.samples_of_ms(523)) <= 1


def test_a_pause_of_less_than_200_ms_is_part_of_speech_and_a_longer_one_parts_it() -> None:
    stream = tone(300) + quiet(190) + tone(300) + quiet(220) + tone(300)
    assert in_ms(bursts_of(stream)) == [(0, 790), (1010, 1310)]


def test_a_click_is_no_burst() -> None:
    assert bursts_of(quiet(500) + tone(15) + quiet(500)) == ()
    assert in_ms(bursts_of(quiet(500) + tone(30) + quiet(500))) == [(500, 530)]


def test_the_noise_of_a_quiet_microphone_is_not_heard() -> None:
    rng = np.random.default_rng(1)
    assert bursts_of(rng.integers(-20, 20, size=24_000).astype("<i2").tobytes()) == ()


def test_a_level_just_under_the_threshold_is_not_heard_and_one_over_is() -> None:
    assert bursts_of(tone(500, level=AUDIBLE)) == ()
    assert len(bursts_of(tone(500, level=2 * AUDIBLE))) == 1


@pytest.mark.parametrize("step", [2, 334, 960, 5000])
def test_bursts_do_not_depend_on_how_the_stream_is_cut(step: int) -> None:
    stream = quiet(33) + tone(210) + quiet(333) + tone(120) + quiet(90)
    hearing = Hearing()
    for at in range(0, len(stream), step):
        hearing.feed(stream[at : at + step])
    assert hearing.bursts == bursts_of(stream)
    assert len(hearing.bursts) == 2


def test_a_growing_burst_is_seen_while_it_grows() -> None:
    hearing = Hearing()
    hearing.feed(quiet(40) + tone(60))
    assert in_ms(hearing.bursts) == [(40, 100)]
    assert hearing.first_after(pcm.samples_of_ms(41)) is None
    hearing.feed(tone(100))
    assert round(hearing.last_audible / 24) == 200


def test_the_span_of_a_silent_sound_is_all_of_it() -> None:
    assert audible_span(quiet(100)) == Burst(0, 2400)
    assert Hearing().last_audible == 0
