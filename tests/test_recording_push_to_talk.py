"""A recording of turns that are pushed to talk: what must not be kept of them is silenced where it was said."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from recording_rig import recorded
from rtbridge.core import pcm
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import Anchor, Budget, CallExpect, Media, Start, Story, TurnExpect
from rtbridge.replay.story import Turn as Said
from scripted_engine import last_text, scripted, speech
from session_rig import AGENTS, scenario_in

SENSITIVE = AGENTS.replace(
    '"""Two desks."""', '"""Two desks."""\n\nfrom typing import Annotated\n\nfrom pydantic import Field'
).replace("order: str", 'order: Annotated[str, Field(json_schema_extra={"x-sensitive": True})]')


def looks_up(turn: Turn) -> Iterable[Act]:
    """Take what the caller calls "weather in Paris" for an order number that nobody may keep."""
    heard = last_text(turn)
    if heard == "weather in Paris":
        yield Call("look_up", '{"order": "weather in Paris"}')
    else:
        yield Say("Hello." if not turn.items else "Thank you.")


def test_a_sensitive_value_that_was_pushed_to_talk_is_silent_in_the_callers_track_and_the_rest_is_kept(
    tmp_path: Path,
) -> None:
    def turn(said: str, delay_ms: int, *, is_noise: bool = False) -> Said:
        start = Start(Anchor.AGENT_SPEECH_END, delay_ms)
        return Said(said, 1, Sound(said, speech(said, 900)), None, is_noise, start, TurnExpect())

    told = Story(
        Path("story.toml"),
        "by hand",
        "desks",
        None,
        (
            turn("yes please", 4_000),
            turn("hello there", 3_000, is_noise=True),
            turn("weather in Paris", 5_000),
        ),
        CallExpect(),
        Budget(),
        media=Media(push_to_talk=True),
    )
    home = tmp_path / "rtc_1"
    scenario = scenario_in(tmp_path, SENSITIVE)
    recording = recorded(replace(told), home, scenario=scenario, parts=scripted(looks_up))
    assert recording.cut is None
    with wave.open(str(home / "caller.wav")) as track:
        heard = np.frombuffer(track.readframes(track.getnframes()), "<i2")
    loud_ms = {
        level: pcm.ms_of_samples(int((np.abs(heard) == level).sum())) for level in (1_000, 2_000, 3_000)
    }
    assert loud_ms == {1_000: 900, 2_000: 0, 3_000: 900}
