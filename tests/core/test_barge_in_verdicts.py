"""The verdict on one sound: by its kind, by words where there are some, and by what the agent allows."""

from __future__ import annotations

from typing import Any

import pytest

from rtbridge.core.barge_in import BargeIn, Verdict, judge
from rtbridge.core.voicing import Sound

WORD = Sound(span_ms=250, voiced_ms=180)
OVER = Sound(span_ms=250, voiced_ms=180, quiet_ms=140)
SPEECH = Sound(span_ms=700, voiced_ms=500)
COUGH = Sound(span_ms=300, voiced_ms=0, quiet_ms=140)
HUM = Sound(span_ms=350, voiced_ms=300, quiet_ms=140, hummed=True)
LAUGH = Sound(span_ms=700, voiced_ms=300, laughed=True)


@pytest.mark.parametrize(
    ("sound", "given", "verdict"),
    [
        (Sound(quiet_ms=700), {}, None),  # the upstream hears something that we do not: yet
        (Sound(quiet_ms=700), {"due": True}, Verdict.NOISE),
        (SPEECH, {}, Verdict.REAL),
        (SPEECH, {"likeness": 0.6}, Verdict.ECHO),
        (Sound(span_ms=80, voiced_ms=60), {"likeness": 0.6}, None),  # by chance, so short a sound may be
        (Sound(span_ms=80, voiced_ms=60), {"likeness": 0.6, "echoing": True}, Verdict.ECHO),
        (WORD, {}, None),
        (OVER, {}, None),  # words may yet come
        (OVER, {"due": True}, Verdict.REAL),
        (OVER, {"words": "Okay."}, Verdict.BACKCHANNEL),
        (WORD, {"words": "Okay."}, None),  # "okay, but ..."
        (WORD, {"words": "Okay.", "due": True}, Verdict.BACKCHANNEL),
        (WORD, {"words": "Okay, but", "due": True}, Verdict.REAL),
        (OVER, {"words": "Okay.", "due": True, "mid_sentence": False}, Verdict.REAL),
        (OVER, {"words": "Stop!", "due": True}, Verdict.REAL),
        (OVER, {"settings": BargeIn("low")}, Verdict.TOO_SHORT),
        (OVER, {"settings": BargeIn("low"), "words": "Stop!", "due": True}, Verdict.REAL),
        (WORD, {"settings": BargeIn("low"), "due": True}, Verdict.REAL),
        (COUGH, {}, Verdict.NOISE),
        (COUGH, {"words": "Thank you."}, Verdict.NOISE),
        (Sound(span_ms=150, voiced_ms=60), {"due": True}, Verdict.NOISE),
        (Sound(span_ms=150, voiced_ms=60), {"settings": BargeIn("high"), "due": True}, Verdict.REAL),
        (Sound(span_ms=90, voiced_ms=90), {"due": True}, Verdict.NOISE),  # no word is so short
        (HUM, {}, Verdict.BACKCHANNEL),
        (HUM, {"mid_sentence": False, "due": True}, Verdict.REAL),
        (HUM, {"words": "And", "due": True}, Verdict.BACKCHANNEL),  # what ears make of "mm-hmm"
        (LAUGH, {}, None),
        (LAUGH, {"due": True}, Verdict.NOISE),
    ],
)
def test_what_a_sound_is(sound: Sound, given: dict[str, Any], verdict: Verdict | None) -> None:
    usual: dict[str, Any] = {
        "likeness": 0.1,
        "words": "",
        "settings": BargeIn(),
        "mid_sentence": True,
        "due": False,
    }
    assert judge(sound, **(usual | given)) is verdict


@pytest.mark.parametrize("words", ["Mm-hmm.", "okay", "Yeah, right.", "I see!", "All right, okay."])
def test_words_that_mean_go_on(words: str) -> None:
    assert BargeIn().is_backchannel(words)


@pytest.mark.parametrize("words", ["", "no", "okay but", "I see it", "rightly", "stop okay"])
def test_words_that_do_not(words: str) -> None:
    assert not BargeIn().is_backchannel(words)


def test_an_agent_has_its_own_words_or_none() -> None:
    assert BargeIn(backchannels=("ja", "genau so")).is_backchannel("Ja, genau so!")
    assert not BargeIn(backchannels=("ja",)).is_backchannel("okay")
    assert not BargeIn(backchannels=()).is_backchannel("okay")


def test_a_protected_sentence_is_found_however_it_is_written() -> None:
    text = "Hello. This call  is recorded, by law. Bye."
    legal = BargeIn(uninterruptible=("this call is recorded by law", ""))
    spots = [at for at in range(len(text)) if legal.protects(text, at)]
    assert text[spots[0] : spots[-1] + 1] == "This call  is recorded, by law. "
    assert BargeIn(uninterruptible=True).protects("", 0)
    assert not BargeIn().protects(text, 10)
