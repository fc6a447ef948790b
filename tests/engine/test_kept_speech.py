"""Sentences are made once and kept, within a bound."""

from __future__ import annotations

import pytest

import speech_rig
from rtbridge.engine.kept_speech import KeptSpeech
from rtbridge.engine.parts import Spoken


class Maker:
    def __init__(self) -> None:
        self.made: list[str] = []

    def make(self, text: str) -> Spoken:
        self.made.append(text)
        return Spoken(b"\0\0" * 100, ((text, 0),))


def test_a_sentence_is_made_once() -> None:
    kept, maker = KeptSpeech(), Maker()
    first, again = (kept.get_or_make("hello", lambda: maker.make("hello")) for _ in range(2))
    assert again is first
    assert maker.made == ["hello"]


def test_what_was_not_said_for_longest_is_forgotten_first() -> None:
    kept, maker = KeptSpeech(max_bytes=400), Maker()
    for text in ("one", "two", "one", "three", "one", "two"):  # "two" makes room for "three"
        kept.get_or_make(text, lambda text=text: maker.make(text))  # type: ignore[misc]
    assert maker.made == ["one", "two", "three", "two"]


def test_a_sentence_that_is_longer_than_all_that_may_be_kept_is_said_all_the_same() -> None:
    kept, maker = KeptSpeech(max_bytes=100), Maker()
    assert len(kept.get_or_make("long", lambda: maker.make("long")).pcm) == 200
    kept.get_or_make("long", lambda: maker.make("long"))
    assert maker.made == ["long", "long"]


@pytest.mark.models
def test_another_voice_or_speed_makes_another_sentence() -> None:
    voice = speech_rig.voice()
    (sage,), (ash,), (quick,), (again,) = (
        list(voice.speak("Good morning.", voice=name, speed=speed))
        for name, speed in (("sage", 1.0), ("ash", 1.0), ("sage", 1.3), ("sage", 1.0))
    )
    assert len({sage.pcm, ash.pcm, quick.pcm}) == 3
    assert again is sage
