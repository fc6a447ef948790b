"""Turns that press keys, noises of a kind, words beside a file, and what else a story may expect: read, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from reading_rig import GOOD, edited, problems_of, story_of, write_tone
from replay_rig import tone
from rtbridge.agents.moderation import Category
from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.read_expect import CATEGORIES
from rtbridge.replay.read_story import load_story
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import GuardrailExpect, NoiseKind


def test_keys_noises_words_and_expectations_are_read_as_they_are_written(tmp_path: Path) -> None:
    text = edited('type = "snow"', 'press = "12#"').replace(
        'say = "audio/tone.wav"', 'say = "audio/tone.wav"\nwords = "yes, please"'
    )
    text = text.replace('noise = "audio/tone.wav"', 'noise = "audio/tone.wav"\nkind = "cough"')
    text = text.replace('{name = "other"}', '{name = "other", dead_air_ms = 1500}')
    text = text.replace("effects = [", 'guardrail = {tripped = "OFF_BRAND", audible_ms = 0}\neffects = [')
    story = story_of(tmp_path, text)
    yes, keys, cough = story.turns
    assert (yes.words, keys.press, keys.label, cough.kind) == (
        "yes, please",
        "12#",
        "press 12#",
        NoiseKind.COUGH,
    )
    assert story.expect.guardrail == GuardrailExpect("OFF_BRAND", 0)
    assert story.expect.tools is not None
    assert [tool.dead_air_ms for tool in story.expect.tools] == [None, 1500]


class Parrot(CallerVoice):
    """Speaks every text as the same tone."""

    def speak(self, text: str, scenario: str) -> Sound:
        return Sound(text, tone(400))


def test_the_words_of_a_text_are_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text(
        edited('say = "audio/tone.wav"', 'text = "Yes, please."').replace("expect = {ignore = true}\n", "")
    )
    write_tone(tmp_path / "audio" / "tone.wav")
    story = load_story(file, None, Parrot())
    assert [turn.words for turn in story.turns] == ["Yes, please.", None, None]


def test_the_categories_are_those_of_the_moderation() -> None:
    assert {*CATEGORIES, "NONE"} == set(Category.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            'say = "audio/tone.wav"',
            'press = "12b"',
            '9: "b" is no key of a telephone; there is 0123456789*#ABCD: write A to D large',
        ),
        ('say = "audio/tone.wav"', f'press = "{"1" * 65}"', "9: 65 keys; at most 64 make a turn"),
        (
            'type = "snow"',
            'press = "1"\nwords = "one"',
            "15: `words` are those of a file: beside `say` or `noise`, or not at all",
        ),
        (
            'noise = "audio/tone.wav"',
            'noise = "audio/tone.wav"\nkind = "couhg"',
            '19: no kind of noise "couhg"; did you mean `cough`?',
        ),
        ('id = "yes"', 'id = "yes"\nkind = "laugh"', "9: `kind` is of a `noise`: this turn is none"),
        (
            "[budget]",
            '[expect.guardrail]\ntriped = "VIOLENCE"\n[budget]',
            "30: unknown key `triped` in `guardrail`; did you mean `tripped`?",
        ),
        (
            "effects = [",
            "guardrail = {audible_ms = 0}\neffects = [",
            "28: an expected guardrail has `tripped`: the category of what it must trip over",
        ),
        (
            "effects = [",
            'guardrail = {tripped = "off-brand"}\neffects = [',
            '28: no category "off-brand"; did you mean `OFF_BRAND`?',
        ),
        (
            "effects = [",
            'guardrail = "OFF_BRAND"\neffects = [',
            "28: `guardrail` takes a table, not 'OFF_BRAND'",
        ),
        (
            '{name = "other"}',
            '{name = "other", dead_air_ms = -5}',
            "25: `dead_air_ms` must lie between 0 and 600000, not -5",
        ),
    ],
)
def test_one_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    at_first = GOOD.replace(old, new, 1)
    assert at_first != GOOD
    assert problem in problems_of(tmp_path, at_first)
