"""A scripted agent for tests of the caller: tones where it speaks, digital silence elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rtbridge.core import pcm
from rtbridge.replay.script import Script
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import Anchor, Budget, CallExpect, Start, Story, Turn, TurnExpect


def tone(ms: int, *, level: int = 6000, hz: int = 300) -> bytes:
    t = np.arange(pcm.samples_of_ms(ms)) / pcm.RATE
    return (level * np.cos(2 * np.pi * hz * t)).astype("<i2").tobytes()


def quiet(ms: int) -> bytes:
    return pcm.silence(pcm.samples_of_ms(ms))


def turn(
    turn_id: str,
    *,
    after: Anchor = Anchor.AGENT_SPEECH_END,
    delay_ms: int = 300,
    ms: int = 400,
    typed: str | None = None,
    is_noise: bool = False,
    expect: TurnExpect | None = None,
) -> Turn:
    sound = None if typed else Sound(turn_id, tone(ms, hz=500))
    start = Start(after, delay_ms)
    return Turn(turn_id, 1, sound, typed, is_noise, start, expect or TurnExpect())


def story(*turns: Turn, expect: CallExpect | None = None, budget: Budget | None = None) -> Story:
    return Story(
        Path("story.toml"), "a story", "simple", None, turns, expect or CallExpect(), budget or Budget()
    )


class Agent:
    """Speaks a tone over each of the given spans (in ms of the call)."""

    def __init__(self, spans: Sequence[tuple[int, int]], *, total_ms: int = 60_000) -> None:
        track = bytearray(quiet(total_ms))
        for start_ms, end_ms in spans:
            at = pcm.samples_of_ms(start_ms) * pcm.SAMPLE_BYTES
            speech = tone(end_ms - start_ms)
            track[at : at + len(speech)] = speech
        self.track = bytes(track)

    def frame(self, n: int) -> bytes:
        at = n * pcm.FRAME_BYTES
        return self.track[at : at + pcm.FRAME_BYTES].ljust(pcm.FRAME_BYTES, b"\0")


def run(script: Script, agent: Agent, *, ms: int = 60_000) -> None:
    for n in range(ms // pcm.FRAME_MS):
        if script.is_over:
            return
        script.tick(agent.frame(n))


def starts_ms(script: Script) -> list[int]:
    return [pcm.ms_of_samples(played.start) for played in script.played]
