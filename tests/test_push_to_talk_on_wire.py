"""Push to talk and playback off over real DTLS, SRTP and SCTP: an event overtakes the voice, and nothing is lost."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_rig import TALK, LiveCall, live, loud_ms, silence, sine, until
from rtbridge.core import journal, pcm

pytestmark = pytest.mark.wire

BY_HAND = {
    "type": "session.update",
    "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
}
BEFORE_MS = 140  # of the tone, said before the button is down
AROUND_MS = 30  # a codec fades in and out
LOUD_SHARE = 1 - 2 * math.asin(500 / 7_000) / math.pi  # of a sine, as loud_ms counts


class Mouth:
    """Hums when told to, and presses the button while it does: late down, and up with the last sample said."""

    def __init__(self) -> None:
        self.call: Any = None
        self._left = self._said = 0

    def hum(self, ms: int) -> None:
        self._left, self._said = pcm.samples_of_ms(ms), 0

    @property
    def done(self) -> bool:
        return self._left == 0

    def speak(self, samples: int) -> bytes:
        """Give the next samples; the events go out before they are so much as encoded."""
        if not self._left:
            return silence(samples)
        before = self._said
        self._said += samples
        self._left -= samples
        if before < pcm.samples_of_ms(BEFORE_MS) <= self._said:
            self.call.say({"type": "input_audio_buffer.clear"})
        if not self._left:
            self.call.say({"type": "input_audio_buffer.commit"})
            self.call.say({"type": "response.create"})
        return sine(samples, level=3_000)


async def called(call: LiveCall, kind: str, times: int) -> None:
    await until(lambda: len(call.events(kind)) == times, f"{kind}, {times} times")


async def test_what_is_said_before_the_press_and_until_the_release_reaches_the_ears(tmp_path: Path) -> None:
    mouth = Mouth()
    async with live(tmp_path) as bridge, bridge.call(speak=mouth.speak) as call:
        mouth.call = call
        call.say(BY_HAND)
        await until(lambda: bool(call.events("session.updated")), "session.updated")
        for turns in (1, 2):
            mouth.hum(600)
            await called(call, "input_audio_buffer.committed", turns)
            await called(call, "output_audio_buffer.stopped", turns + 1)
        heard = call.upstream.ears.heard
        assert [pytest.approx(600, abs=AROUND_MS) == loud_span_ms(one) for one in heard] == [True, True]
        pressed = [e for _, _, e in bridge.journal if isinstance(e, journal.PushToTalkPressed)]
        assert [entry.before_ms for entry in pressed] == [200, 200]
        assert call.errors() == []


async def test_playback_off_is_silence_in_the_ear_within_300_ms_and_goes_on_where_it_stood(
    tmp_path: Path,
) -> None:
    async with live(tmp_path) as bridge, bridge.call() as call:
        quiet = 2 * pcm.samples_of_ms(200)
        await until(lambda: not loud_ms(call.heard[-quiet:]), "the greeting to be heard to its end")
        greeted = loud_ms(call.heard)
        call.type(TALK)
        await until(lambda: loud_ms(call.heard) > 1_500, "the agent to speak")
        call.say({"type": "rtbridge.output_audio.pause", "paused": True})
        await until(lambda: bool(call.events("rtbridge.controls.changed")), "the answer")
        at = len(call.heard)
        await until(lambda: len(call.heard) - at > 2 * pcm.samples_of_ms(1_300), "1.3 s to pass")
        assert loud_ms(call.heard[at + 2 * pcm.samples_of_ms(300) :]) == 0
        call.say({"type": "rtbridge.output_audio.pause", "paused": False})
        sounded = loud_ms(call.heard)
        await until(lambda: loud_ms(call.heard) > sounded + 500, "the agent to go on")
        call.say({"type": "output_audio_buffer.clear"})
        await until(lambda: bool(call.events("output_audio_buffer.cleared")), "its end")
        await until(lambda: len(call.events("rtbridge.item.heard")) == 2, "what was heard of it")
        cut = call.events("rtbridge.item.heard")[1]
        assert cut["unheard_text"]
        await until(lambda: not loud_ms(call.heard[-quiet:]), "silence")
        in_ear_ms = (loud_ms(call.heard) - greeted) / LOUD_SHARE
        assert cut["heard_ms"] == pytest.approx(in_ear_ms, abs=100), "the silence is no part of it"


def loud_span_ms(sound: bytes) -> int:
    """Return how long it is from the first loud sample to the last."""
    (loud,) = np.nonzero(np.abs(np.frombuffer(sound, "<i2").astype(np.int32)) > 500)
    return pcm.ms_of_samples(int(loud[-1] - loud[0])) if len(loud) else 0
