"""The ears: human words, synthetic callers, our own voice, and nothing where nothing is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import speech_rig
from rtbridge.core.pcm import RATE, samples_of
from rtbridge.engine import stt
from rtbridge.engine.stt import MoonshineEars
from rtbridge.engine.tts import VOICES
from speech_rig import SECOND, espeak, flite, load_wav, pcm_of, word_errors, words

HUMAN = json.loads((Path(__file__).parent.parent / "speech" / "transcripts.json").read_text("utf-8"))
SENTENCES = (
    "Yes please.",
    "I would like one about the ocean.",
    "Can you tell me where my order is?",
    "I want to return my snowboard.",
    "Why was my last bill so high?",
    "Thank you very much, goodbye.",
)


@pytest.fixture(scope="module")
def ears() -> MoonshineEars:
    return speech_rig.ears()


def test_human_speech_is_heard_with_at_most_8_percent_of_words_wrong(ears: MoonshineEars) -> None:
    errors = total = 0
    for name, said in HUMAN["transcripts"].items():
        heard = ears.transcribe(load_wav(Path(HUMAN["folder"]) / f"{name}.wav"))
        errors += word_errors(said, heard)
        total += len(words(said))
    assert len(HUMAN["transcripts"]) >= 10
    assert errors / total <= 0.08, f"{errors} of {total} words"


def test_our_own_voices_are_understood_word_for_word_but_3_percent(ears: MoonshineEars) -> None:
    voice = speech_rig.voice()
    errors = total = 0
    for name in VOICES:
        said = " ".join(SENTENCES[1:4])
        pcm = b"".join(spoken.pcm for spoken in voice.speak(said, voice=name, speed=1.0))
        errors += word_errors(said, ears.transcribe(pcm))
        total += len(words(said))
    assert errors / total <= 0.03, f"{errors} of {total} words"


def test_callers_that_are_not_our_voice_are_understood(ears: MoonshineEars, tmp_path: Path) -> None:
    for speak, bar in ((flite, 0.15), (espeak, 0.3)):
        errors = sum(word_errors(said, ears.transcribe(speak(said, tmp_path))) for said in SENTENCES)
        assert errors / sum(len(words(said)) for said in SENTENCES) <= bar, speak.__name__


def test_the_same_audio_gives_the_same_text(ears: MoonshineEars, tmp_path: Path) -> None:
    pcm = espeak(SENTENCES[2], tmp_path)
    assert len({ears.transcribe(pcm) for _ in range(3)}) == 1


def test_silence_noise_and_a_tone_are_no_words(ears: MoonshineEars) -> None:
    noise = np.random.default_rng(0).standard_normal(2 * RATE) * 800
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE) * 6000
    for quiet in (b"", bytes(2), SECOND, pcm_of(noise), pcm_of(tone)):
        assert ears.transcribe(quiet) == ""


def test_long_speech_is_cut_at_quiet_places_and_loses_no_sentence(
    ears: MoonshineEars, tmp_path: Path
) -> None:
    pcm = b"".join(flite(said, tmp_path) + SECOND[: RATE // 2] for said in SENTENCES * 2)
    assert samples_of(pcm) / RATE > 20
    heard = ears.transcribe(pcm)
    assert word_errors(" ".join(SENTENCES * 2), heard) <= 0.2 * len(words(" ".join(SENTENCES * 2)))


def test_no_segment_is_longer_than_15_s_and_none_is_lost() -> None:
    audio = np.random.default_rng(2).standard_normal(50 * stt.MODEL_RATE).astype(np.float32)
    audio[12 * stt.MODEL_RATE : 12 * stt.MODEL_RATE + 8000] = 0
    pieces = stt.cut(audio)
    assert max(len(piece) for piece in pieces) <= 15 * stt.MODEL_RATE
    assert np.array_equal(np.concatenate(pieces), audio)
    assert 12.0 <= len(pieces[0]) / stt.MODEL_RATE <= 12.5


def test_token_pieces_longer_than_127_bytes_take_a_length_of_two_bytes() -> None:
    assert stt.read_pieces(b"\x03<s>" + b"\x02ab" + bytes([200, 1]) + b"x" * 200 + b"\x00" + b"\x01<") == [
        b"",
        b"ab",
        b"x" * 200,
        b"",
        b"<",
    ]
