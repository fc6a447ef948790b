"""The gate: edges where speech is, none where it is not, whatever way the audio was cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import speech_rig
from rtbridge.core.pcm import RATE, ms_of_samples, samples_of, silence
from rtbridge.engine.parts import PAUSE_MS, VadConfig, VadEdge
from rtbridge.engine.vad import SileroModel, SileroVad
from speech_rig import SECOND, flite, pcm_of, samples_in

CONFIG = VadConfig()


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return speech_rig.silero()


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A second of silence, a sentence without edges of its own, two seconds of silence."""
    spoken = samples_in(flite("I would like one about the ocean.", tmp_path_factory.mktemp("vad")))
    loud = np.flatnonzero(np.abs(spoken) > 600)
    return SECOND + pcm_of(spoken[loud[0] : loud[-1]]) + 2 * SECOND


def edges(model: SileroModel, pcm: bytes, config: VadConfig = CONFIG, chunk: int = 960) -> list[VadEdge]:
    """Where turns begin and end; pauses have a test of their own."""
    return [edge for edge in all_edges(model, pcm, config, chunk) if edge.kind != "paused"]


def all_edges(model: SileroModel, pcm: bytes, config: VadConfig = CONFIG, chunk: int = 960) -> list[VadEdge]:
    vad = SileroVad(model, config)
    return [edge for at in range(0, len(pcm), chunk) for edge in vad.feed(pcm[at : at + chunk])]


def test_a_sentence_starts_prefix_padding_before_it_and_stops_silence_after_it(
    model: SileroModel, speech: bytes
) -> None:
    started, stopped = edges(model, speech)
    assert (started.kind, stopped.kind) == ("started", "stopped")
    begins_ms, ends_ms = 1000, ms_of_samples(samples_of(speech)) - 2000
    assert abs(ms_of_samples(started.at_sample) - (begins_ms - 300)) <= 100
    assert abs(ms_of_samples(stopped.at_sample) - (ends_ms + 500)) <= 130


@pytest.mark.parametrize(("prefix_ms", "silence_ms"), [(0, 200), (500, 800)])
def test_padding_and_silence_are_obeyed(
    model: SileroModel, speech: bytes, prefix_ms: int, silence_ms: int
) -> None:
    usual = edges(model, speech)
    other = edges(model, speech, VadConfig(prefix_padding_ms=prefix_ms, silence_ms=silence_ms))
    assert ms_of_samples(other[0].at_sample - usual[0].at_sample) == 300 - prefix_ms
    assert ms_of_samples(abs(other[-1].at_sample - usual[-1].at_sample)) == abs(silence_ms - 500)


def test_a_silence_is_a_pause_once_whether_speech_goes_on_or_ends(model: SileroModel, speech: bytes) -> None:
    sentence = speech[len(SECOND) : -2 * len(SECOND)]
    found = all_edges(model, SECOND + sentence + silence(RATE * 2 // 5) + sentence + 2 * SECOND)
    assert [edge.kind for edge in found] == ["started", "paused", "paused", "stopped"]
    assert ms_of_samples(found[-1].at_sample - found[-2].at_sample) == CONFIG.silence_ms - PAUSE_MS


def test_a_silence_that_ends_speech_before_it_is_a_pause_is_none(model: SileroModel, speech: bytes) -> None:
    found = all_edges(model, speech, VadConfig(silence_ms=PAUSE_MS))
    assert [edge.kind for edge in found] == ["started", "stopped"]


@pytest.mark.parametrize("chunk", [2, 962, 4800, 1_000_000])
def test_edges_do_not_depend_on_how_the_audio_was_cut(model: SileroModel, speech: bytes, chunk: int) -> None:
    short = speech[: RATE * 2 * 2] + SECOND if chunk == 2 else speech
    assert all_edges(model, short, chunk=chunk) == all_edges(model, short)


def test_an_edge_is_never_ahead_of_what_was_heard_and_comes_within_100_ms_of_its_silence(
    model: SileroModel, speech: bytes
) -> None:
    vad, heard = SileroVad(model, CONFIG), 0
    for at in range(0, len(speech), 960):
        found = vad.feed(speech[at : at + 960])
        heard += samples_of(speech[at : at + 960])
        for edge in found:
            assert edge.at_sample <= heard
            if edge.kind == "stopped":
                assert ms_of_samples(heard - edge.at_sample) <= 100


def test_silence_noise_tones_and_clicks_are_no_speech(model: SileroModel) -> None:
    rng = np.random.default_rng(7)
    time = np.arange(4 * RATE) / RATE
    noise = rng.standard_normal(4 * RATE) * 1500
    tone = np.sin(2 * np.pi * 440 * time) * 8000
    clicks = np.where(np.arange(4 * RATE) % (RATE // 2) < 24, 20000.0, 0.0)
    for quiet in (4 * SECOND, pcm_of(noise), pcm_of(tone), pcm_of(clicks)):
        assert edges(model, quiet) == []


def test_speech_under_white_noise_of_20_db_is_found(model: SileroModel, speech: bytes) -> None:
    clean = samples_in(speech)
    level = np.sqrt(np.mean(clean[RATE : -2 * RATE] ** 2)) / 10
    noisy = pcm_of(clean + np.random.default_rng(3).standard_normal(len(clean)) * level)
    assert [edge.kind for edge in edges(model, noisy)] == ["started", "stopped"]


def test_a_second_sentence_starts_no_earlier_than_the_first_one_stopped(
    model: SileroModel, speech: bytes
) -> None:
    close = speech[: -2 * len(SECOND)] + silence(RATE * 6 // 10)
    found = edges(model, close + speech[len(SECOND) :], VadConfig(prefix_padding_ms=2000))
    assert [edge.kind for edge in found] == ["started", "stopped"] * 2
    assert found[2].at_sample >= found[1].at_sample


def test_a_reset_in_the_middle_of_speech_forgets_it_and_goes_on_counting(
    model: SileroModel, speech: bytes
) -> None:
    vad = SileroVad(model, CONFIG)
    first = vad.feed(speech[: -2 * len(SECOND)])
    assert [edge.kind for edge in first] == ["started"]
    vad.reset()
    assert vad.feed(2 * SECOND) == []
    again = vad.feed(speech[len(SECOND) :])
    assert [edge.kind for edge in again] == ["started", "paused", "stopped"]
    assert abs(again[0].at_sample - (samples_of(speech) - 300 * RATE // 1000)) <= RATE // 10


def test_half_a_sample_is_refused(model: SileroModel) -> None:
    with pytest.raises(ValueError, match="16-bit"):
        SileroVad(model, CONFIG).feed(b"\0\0\0")


def test_two_streams_on_one_model_do_not_disturb_each_other(
    model: SileroModel, speech: bytes, tmp_path: Path
) -> None:
    alone = all_edges(model, speech)
    one, two = SileroVad(model, CONFIG), SileroVad(model, CONFIG)
    noise = pcm_of(np.random.default_rng(1).standard_normal(480) * 3000)
    together: list[VadEdge] = []
    for at in range(0, len(speech), 960):
        together += one.feed(speech[at : at + 960])
        two.feed(noise)
    assert together == alone
