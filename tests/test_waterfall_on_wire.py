"""The waterfall against the caller's recording over real WebRTC: what leaves the bridge is what the caller hears."""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from conftest import Count, KeepFigures
from live_rig import CALLS, SDP, LiveBridge, until
from recorded_gap import Recording, recordings
from rtbridge.core import journal, pcm
from rtbridge.core.journal import LATENCY_PARTS
from rtbridge.rtc.client import WireCaller
from rtbridge.rtc.impair import Profile
from rtbridge.settings import Settings
from waterfall_rig import FRAME_S, DelayedUpstream, Delays, SlowModel

pytestmark = pytest.mark.wire

TURNS_A_CALL: Final = 10
WITHIN_MS: Final = 40.0
SHARE: Final = 0.95


class SlowBridge(LiveBridge):
    """A bridge whose upstream and guardrails take what the turn says."""

    def __init__(self, folder: Path, delays: Delays, voices: deque[bytes]) -> None:
        super().__init__(Settings(moderation_first=True), folder)
        self._delays, self._voices = delays, voices
        judge = SlowModel(delays)
        self.text_model = lambda name: judge
        self.agents = self.agents.replace("\nguardrails = []\n", "")

    def dial(self) -> Any:
        return DelayedUpstream(self._delays, self._voices)


class WireTalk:
    """A caller over WebRTC, and what they said and heard as it was on their side."""

    def __init__(self) -> None:
        self.recording = Recording()
        self.told: list[dict[str, Any]] = []
        self._loop = asyncio.get_running_loop()
        self._saying = bytearray()
        self._begin_s = float(
            "inf"
        )  # of the recording, by the microphone's clock: no frame is said before its time
        self._frames = 0
        self.caller = WireCaller(
            speak=self._speak,
            listen=self._listen,
            message=lambda text: self.told.append(json.loads(text)),
            impairment=Profile(),  # a network that does nothing; but what comes is heard when it comes
        )

    def _speak(self, samples: int) -> bytes:
        """Give what was said in the 20 ms before now: a microphone has a frame when it is over."""
        said = bytes(self._saying[: 2 * samples]).ljust(2 * samples, b"\0")
        del self._saying[: 2 * samples]
        self._frames += 1
        self._begin_s = min(self._begin_s, self._loop.time() - self._frames * FRAME_S)
        self.recording.said += said
        return said

    def _listen(self, chunk: bytes) -> None:
        self.recording.hear(chunk, self._loop.time() - self._begin_s)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.told if event["type"] == kind]

    async def turn(self, sound: bytes) -> tuple[dict[str, Any], float]:
        """Say something and hear the answer; return what the page is told of it, and what was recorded."""
        first, before = len(self.recording.said) // 2, len(self.events("rtbridge.turn.ended"))
        stopped = len(self.events("output_audio_buffer.stopped"))
        self._saying += sound
        await until(lambda: len(self.events("output_audio_buffer.stopped")) > stopped, "an answer's end")
        await asyncio.sleep(0.1)  # its last packets are on their way
        (turn,) = self.events("rtbridge.turn.ended")[before:]
        return turn, self.recording.respond_ms(first, first + pcm.samples_of(sound) + pcm.FRAME_SAMPLES)


@asynccontextmanager
async def talking(bridge: SlowBridge) -> AsyncIterator[WireTalk]:
    """Place a call; hang up at the end."""
    talk = WireTalk()
    location = ""
    try:
        answered, headers, sdp = await bridge.ask("POST", CALLS, data=await talk.caller.offer(), headers=SDP)
        assert answered == 201, sdp
        location = headers["Location"]
        await talk.caller.accept(sdp)
        await talk.caller.opened()
        talk.caller.impair()
        await until(lambda: bool(talk.events("output_audio_buffer.stopped")), "the greeting's end")
        yield talk
    finally:
        await talk.caller.close()
        if location:
            await bridge.ask("DELETE", location)


async def test_the_waterfall_adds_up_to_the_gap_in_the_callers_recording_over_the_wire(
    tmp_path: Path, count: Count, keep_figures: KeepFigures
) -> None:
    turns = count(4, 50)
    lot = random.Random("waterfall on the wire")
    off_ms: list[float] = []
    delays = Delays()
    sounds = sorted(recordings(), key=len)[:10]  # in real time
    bridge = SlowBridge(tmp_path, delays, deque(sounds[:6]))
    async with bridge.up():
        while len(off_ms) < turns:
            async with talking(bridge) as talk:
                for _ in range(min(TURNS_A_CALL, turns - len(off_ms))):
                    await asyncio.sleep(lot.uniform(0.0, 0.1))
                    for stage in ("endpoint", "commit", "request", "created", "model", "gate", "lead"):
                        setattr(delays, stage, lot.uniform(0, 120))
                    told, recorded_ms = await talk.turn(lot.choice(sounds))
                    assert told["respond_ms"] == sum(told[part] for part in LATENCY_PARTS)
                    assert told["wire_ms"] >= 2, "an Opus encoder holds 2.5 ms back"
                    off_ms.append(told["respond_ms"] - recorded_ms)
            kept = [entry for _, _, entry in bridge.journal if isinstance(entry, journal.TurnEnded)]
            told_all = talk.events("rtbridge.turn.ended")
            for entry, told in zip(kept[-len(told_all) :], told_all, strict=True):
                assert told.items() >= entry.as_dict().items()
    ranked = sorted(abs(off) for off in off_ms)
    figures = {
        "turns": len(off_ms),
        "within_40_ms": sum(off <= WITHIN_MS for off in ranked),
        "p50_ms": round(ranked[len(ranked) // 2], 1),
        "p95_ms": round(ranked[int(len(ranked) * 0.95)], 1),
        "worst_ms": round(ranked[-1], 1),
        "mean_ms": round(sum(off_ms) / len(off_ms), 1),
    }
    keep_figures("waterfall_on_wire", figures)
    assert sum(off <= WITHIN_MS for off in ranked) >= SHARE * len(off_ms), figures
