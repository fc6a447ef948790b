"""What is written as TOML is read back as it was."""

from __future__ import annotations

import doctest
import tomllib
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from replay_rig import tone
from rtbridge.replay import as_it_went, write_story
from rtbridge.replay.read_story import load_story
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import (
    Anchor,
    Budget,
    CallExpect,
    EffectExpect,
    GuardrailExpect,
    NoiseKind,
    Start,
    Story,
    ToolExpect,
    TranscriptExpect,
    Turn,
    TurnExpect,
)
from rtbridge.replay.write_story import story_toml, toml

HARD = "a \"quoted\" \\d+ 'single' line\nbreak \x00\x1b\x7f\x85\u2028 é 😀 [x] = # y"


@pytest.mark.parametrize(
    "value",
    [
        "",
        HARD,
        r"It's A-7 \(really\)",
        r"say \(so\)",
        True,
        0,
        -3,
        2.5,
        1e30,
        [],
        [1, [2, "x"]],
        {"a b": {"": 1}},
    ],
)
def test_a_value_is_read_back_as_it_was(value: Any) -> None:
    assert tomllib.loads(f"x = {toml(value)}\n")["x"] == value


def test_what_toml_cannot_say_is_left_out_with_its_key_and_half_a_character_is_replaced() -> None:
    given = {"none": None, "holes": [1, None], "nan": float("nan"), "kept": [{"inner": None, "n": 1}]}
    assert tomllib.loads(f"x = {toml(given)}")["x"] == {"kept": [{"n": 1}]}
    assert tomllib.loads(f"x = {toml(chr(0xD800))}")["x"] == "\ufffd"


def test_a_whole_story_is_read_back_as_it_was(tmp_path: Path) -> None:
    def turn(number: int, **rest: Any) -> Turn:
        given = {"sound": None, "typed": None, "is_noise": False, "expect": TurnExpect()} | rest
        return Turn(
            given.pop("id", f"turn {number}"), 1, start=Start(Anchor.CALL_START, number * 1000), **given
        )

    sound = Sound(f"words\nover {HARD}", tone(500))
    hears = TurnExpect(respond_within_ms=900, heard=r"\d+ o'clock", agent="front")
    story = Story(
        file=tmp_path / "stories" / "one.toml",
        name=HARD.replace("\x00", ""),
        scenario="desks",
        agent="front",
        turns=(
            turn(1, sound=sound, expect=hears),
            turn(2, id="a cough", sound=sound, is_noise=True, kind=NoiseKind.COUGH, words=HARD),
            turn(3, typed=HARD),
            turn(4, switch="billing"),
            turn(5, press="12#"),
            Turn("turn 6", 1, None, None, False, Start(Anchor.APPROVAL, 250), TurnExpect(), approve=False),
        ),
        expect=CallExpect(
            handoffs=("billing",),
            tools=(ToolExpect("look_up", {"order": HARD, "n": 1}), ToolExpect("ping", {}, 1500)),
            guardrail=GuardrailExpect("OFF_BRAND", 0),
            effects=(),
            transcript=(TranscriptExpect("agent", HARD, None), TranscriptExpect("caller", None, "no")),
            ended="hung up",
        ),
        budget=Budget(underruns=0),
        stays_ms=9_000,
    )
    (tmp_path / "stories").mkdir()
    (tmp_path / "audio").mkdir()
    with wave.open(str(tmp_path / "audio" / "tone.wav"), "wb") as out:
        out.setparams((1, 2, 24_000, 0, "NONE", ""))
        out.writeframes(sound.pcm)
    sounds = {"turn 1": "audio/tone.wav", "a cough": "audio/tone.wav"}
    story.file.write_text(story_toml(story, "engine", sounds, [f"by hand {HARD}"]), encoding="utf-8")
    read = load_story(story.file, {"desks": ["front", "billing"]})
    assert [replace(t, line=1, sound=None) for t in read.turns] == [
        replace(t, sound=None) for t in story.turns
    ]
    assert read.turns[0].sound is not None
    assert read.turns[0].sound.pcm == sound.pcm
    assert (read.name, read.scenario, read.agent, read.stays_ms) == (story.name, "desks", "front", 9_000)
    assert (read.expect, read.budget) == (story.expect, story.budget)


def test_effects_are_expected_as_they_were_and_not_where_two_values_are_one_mask() -> None:
    def entries(arguments: str) -> list[dict[str, Any]]:
        return [
            {"event": "tool.started", "name": "book", "arguments": arguments},
            {"event": "effect.done", "tool": "book"},
        ]

    assert as_it_went.expected(entries('{"hour": 7}')).effects == (EffectExpect("book", 1),)
    assert as_it_went.expected(entries('{"phone": "[masked phone]"}')).effects is None
    assert as_it_went.expected([]).effects == ()


def test_a_guardrail_that_tripped_is_expected_again_and_where_it_gated_nothing_may_be_heard() -> None:
    judged = {
        "event": "guardrail.judged",
        "item_id": "a",
        "who": "agent",
        "state": "fail",
        "category": "OFF_BRAND",
    }
    caller = {**judged, "who": "caller", "category": "VIOLENCE"}
    tripped = {"event": "guardrail.tripped", "item_id": "a", "policy": "gate"}
    assert as_it_went.expected([caller, judged]).guardrail == GuardrailExpect("OFF_BRAND")
    assert as_it_went.expected([caller, judged, tripped]).guardrail == GuardrailExpect("OFF_BRAND", 0)
    assert as_it_went.expected([caller, {**judged, "state": "pass"}]).guardrail is None


def test_the_last_words_of_what_was_cut_are_not_expected() -> None:
    def heard(unheard: str) -> list[str | None]:
        entry = {
            "event": "item.heard",
            "heard_text": "Well, (I) say \n one two three.",
            "unheard_text": unheard,
        }
        return [said.like for said in as_it_went.expected([entry]).transcript]

    assert heard("four") == [r"Well, \(I\) say"]
    assert heard("") == [r"Well, \(I\) say\s+one two three\."]


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(write_story).failed == doctest.testmod(as_it_went).failed == 0
