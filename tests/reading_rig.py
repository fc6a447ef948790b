"""A whole story in a folder of its own, and what is said about it when something of it is wrong."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from rtbridge.errors import StoryError
from rtbridge.replay.read_story import load_story
from rtbridge.replay.story import Story

GRAPHS = {"simple_handoff": ("greeter", "haikuWriter"), "chat_supervisor": ("chatAgent",)}

GOOD = """\
name = "a whole story"
scenario = "simple_handoff"
agent = "greeter"
upstream = "engine"
[media]
codec = "opus"
[[turn]]
id = "yes"
say = "audio/tone.wav"
start = {after = "agent_speech_end", delay_ms = 250}
expect = {respond_within_ms = 900, heard = "topic", agent = "haikuWriter"}
[[turn]]
id = "cut"
type = "snow"
start = {after = "agent_speech_start", delay_ms = 1200}
expect = {stop_within_ms = 300, truncate_error_ms = 40, unheard_in_context = false}
[[turn]]
noise = "audio/tone.wav"
start = {after = "handoff", delay_ms = 0}
expect = {ignore = true}
[expect]
handoffs = ["haikuWriter"]
tools = [
  {name = "lookup", args = {topic = "snow"}},
  {name = "other"},
]
transcript = [{who = "agent", like = "haiku"}, {who = "agent", never = "(?i)as an ai"}]
effects = [{tool = "other", count = 1}]
[budget]
bridge_added_p95_ms = 60
underruns = 0
protocol_errors = 0
leaked_tasks = 0
"""


def write_tone(
    file: Path, *, rate: int = 16_000, ms: int = 500, channels: int = 1, level: int = 8000
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(rate * ms // 1000) / rate
    mono = (level * np.sin(2 * np.pi * 440 * t)).astype("<i2")
    with wave.open(str(file), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(mono, channels).tobytes())


def story_of(tmp_path: Path, text: str) -> Story:
    write_tone(tmp_path / "audio" / "tone.wav")
    file = tmp_path / "stories" / "one.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return load_story(file, GRAPHS)


def problems_of(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(StoryError) as caught:
        story_of(tmp_path, text)
    return [
        line.removeprefix(f"{tmp_path / 'stories' / 'one.toml'}:") for line in str(caught.value).splitlines()
    ]


def edited(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)
