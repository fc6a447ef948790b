"""A story by the button to talk: pressed late, let go early, and never for what is not said to the agent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from replay_rig import Agent, story, turn
from rtbridge.core import pcm
from rtbridge.errors import StoryError
from rtbridge.replay.button import EARLY, LATE
from rtbridge.replay.read_story import load_story
from rtbridge.replay.script import Script
from rtbridge.replay.story import Anchor, Media, Story


def sent(told: Story, agent: Agent) -> list[tuple[int, str]]:
    """Return what the caller sends over the data channel, and at which ms."""
    script, found = Script(told), []
    for n in range(60_000 // pcm.FRAME_MS):
        script.tick(agent.frame(n))
        found += [(n * pcm.FRAME_MS, json.loads(text)["type"]) for text in script.outbox]
        script.outbox.clear()
    return found


def test_a_button_is_pressed_after_the_first_sound_and_let_go_before_the_last() -> None:
    told = story(turn("one", after=Anchor.CALL_START, delay_ms=1_000, ms=600))
    by_hand = replace(told, media=Media(push_to_talk=True))
    late_ms, up_ms = 1_000 + pcm.ms_of_samples(LATE), 1_600 - pcm.ms_of_samples(EARLY)
    assert sent(by_hand, Agent([(3_000, 4_000)])) == [
        (0, "session.update"),
        (-(-late_ms // 20) * 20, "input_audio_buffer.clear"),
        (-(-up_ms // 20) * 20, "input_audio_buffer.commit"),
        (-(-up_ms // 20) * 20, "response.create"),
    ]
    assert sent(told, Agent([(3_000, 4_000)])) == []


def test_the_shortest_word_is_a_press_of_150_ms_and_a_noise_is_none() -> None:
    told = story(
        turn("cough", after=Anchor.CALL_START, delay_ms=500, ms=300, is_noise=True),
        turn("no", after=Anchor.CALL_START, delay_ms=2_000, ms=100),
    )
    events = sent(replace(told, media=Media(push_to_talk=True)), Agent([(5_000, 6_000)]))
    (pressed, _), (released, _) = events[1:3]
    assert (pressed, released) == (2_160, 2_300)
    assert len(events) == 4


def test_a_story_says_that_it_is_pushed_to_talk(tmp_path: Path) -> None:
    file = tmp_path / "story.toml"
    text = 'name = "x"\nscenario = "desks"\n[[turn]]\ntype = "hello"\n[media]\npush_to_talk = {}\n'
    file.write_text(text.format("true"))
    assert load_story(file, {"desks": ("front",)}).media == Media(push_to_talk=True)
    file.write_text(text.format('"yes"'))
    with pytest.raises(StoryError, match=r"story.toml:6: `push_to_talk` takes true or false"):
        load_story(file, {"desks": ("front",)})
