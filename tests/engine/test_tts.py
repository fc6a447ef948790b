"""The voice: every letter of the text accounted for in time, ten voices told apart, the same bytes twice."""

from __future__ import annotations

import time

import numpy as np
import pytest

import speech_rig
from rtbridge.core.pcm import RATE, samples_of
from rtbridge.engine import tts
from rtbridge.engine.parts import Spoken
from rtbridge.engine.stt import MoonshineEars
from rtbridge.engine.tts import VOICES, HibariVoice
from speech_rig import SECOND, pitch_hz, samples_in, word_errors, words

LINE = "Would you like to hear a haiku? Tell me a topic, and I will write one about it."
HAIKU = "Waves lean on the shore,\ntell it one long salty tale,\nthen forget the end."


@pytest.fixture(scope="module")
def voice() -> HibariVoice:
    return speech_rig.voice()


@pytest.fixture(scope="module")
def ears() -> MoonshineEars:
    return speech_rig.ears()


def say(voice: HibariVoice, text: str, name: str = "sage", speed: float = 1.0) -> list[Spoken]:
    return list(voice.speak(text, voice=name, speed=speed))


def whole(spoken: list[Spoken]) -> bytes:
    return b"".join(one.pcm for one in spoken)


@pytest.mark.parametrize(
    "text",
    [
        LINE,
        HAIKU,
        "  Your bill is $42.17, due 2024-05-15 [Billing](ID-010).\n\nCall (206) 555-0142; quote SNP-20230914-001!  ",
        "Well… “Dr. Smith” said: *no*! 😀 Ünïcödé 東京 <b>ok</b> https://example.com/checkout/1",
        "",
        "   ",
        "...",
        "🙂",
        "a" * 700 + " " + "word, " * 100,
    ],
)
def test_the_pieces_joined_are_the_text_and_their_starts_never_fall(voice: HibariVoice, text: str) -> None:
    spoken = say(voice, text)
    assert "".join(piece for one in spoken for piece, _ in one.words) == text
    for one in spoken:
        starts = [start for _, start in one.words]
        assert starts == sorted(starts)
        assert all(0 <= start <= samples_of(one.pcm) for start in starts)


def test_words_start_when_they_are_heard(voice: HibariVoice, ears: MoonshineEars) -> None:
    (one,) = say(voice, "Hello there, would you like to hear a haiku today?")
    starts = dict(one.words)
    until_would = one.pcm[: 2 * starts["would "]]
    from_would = one.pcm[2 * (starts["would "] - RATE // 40) :]
    from_today = one.pcm[2 * (starts["today?"] - RATE // 40) :]
    assert words(ears.transcribe(until_would))[:2] == ["hello", "there"]
    assert "like" not in words(ears.transcribe(until_would))
    assert words(ears.transcribe(from_would)) == words("would you like to hear a haiku today")
    assert words(ears.transcribe(from_today)) == words("today")


def test_the_voices_are_at_least_four_pitches_apart_and_others_by_throat(voice: HibariVoice) -> None:
    pitches = {name: pitch_hz(whole(say(voice, LINE, name))) for name in VOICES}
    assert len(VOICES) == 10
    told_apart: list[float] = []
    for pitch in sorted(pitches.values()):
        if not told_apart or pitch >= told_apart[-1] * 1.12:
            told_apart.append(pitch)
    assert len(told_apart) >= 4, pitches
    order = sorted(VOICES, key=lambda name: VOICES[name].pitch)
    assert sorted(pitches, key=pitches.__getitem__) == order


def test_a_longer_throat_has_lower_formants() -> None:
    envelope = np.zeros((601, 2), np.float32)
    envelope[100] = 1.0
    assert tts.stretch(envelope, 0.9)[:, 0].argmax() == 90
    assert tts.stretch(envelope, 1.1)[:, 0].argmax() == 110


def test_an_unknown_voice_is_the_default_voice(voice: HibariVoice) -> None:
    assert whole(say(voice, "Hello.", "nobody")) == whole(say(voice, "Hello.", tts.DEFAULT_VOICE))


def test_the_same_text_gives_the_same_bytes(voice: HibariVoice) -> None:
    assert say(voice, LINE, "ash") == say(voice, LINE, "ash")


def test_speed_changes_the_length_and_not_the_words(voice: HibariVoice, ears: MoonshineEars) -> None:
    lengths = [samples_of(whole(say(voice, LINE, speed=speed))) for speed in (0.25, 0.7, 1.0, 1.5)]
    assert lengths == sorted(lengths, reverse=True)
    assert 3.0 <= lengths[0] / lengths[2] <= 5.0
    fast = whole(say(voice, "Tell me a topic, and I will write one about it.", speed=1.5))
    assert word_errors("Tell me a topic and I will write one about it", ears.transcribe(fast + SECOND)) == 0


def test_lines_of_a_haiku_are_parted_by_a_pause(voice: HibariVoice) -> None:
    spoken = say(voice, HAIKU)
    assert len(spoken) == 3
    for one in spoken[:-1]:
        tail = samples_in(one.pcm)[-RATE * 3 // 10 :]
        assert np.abs(tail).max() < 300


def test_audio_is_loud_enough_and_never_clips(voice: HibariVoice) -> None:
    for name in VOICES:
        peak = np.abs(samples_in(whole(say(voice, LINE, name)))).max()
        assert 3000 < peak < 32767, name


def test_speech_begins_within_100_ms_of_the_audio(voice: HibariVoice) -> None:
    for one in say(voice, LINE):
        assert np.flatnonzero(np.abs(samples_in(one.pcm)) > 500)[0] <= RATE // 10


def test_the_first_sentence_costs_less_than_a_tenth_of_its_length(voice: HibariVoice) -> None:
    spent = []
    for _ in range(5):
        began = time.thread_time()
        first = next(voice.speak(LINE, voice="sage", speed=1.0))
        spent.append(time.thread_time() - began)
    assert min(spent) < samples_of(first.pcm) / RATE / 10


def test_numbers_are_spoken_digit_by_digit_and_citations_are_not(
    voice: HibariVoice, ears: MoonshineEars
) -> None:
    pcm = whole(say(voice, "Please call (206) 555-0142 about it [Store List](ID-070)."))
    heard = ears.transcribe(pcm)
    assert "2065550142" in "".join(c for c in heard if c.isdigit())
    assert "store" not in heard.lower()
    assert "070" not in heard
