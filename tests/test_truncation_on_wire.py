"""Interrupted over real WebRTC, the upstream keeps what a stock client has decoded, to 40 ms, and its words to a word.

As test_truncation.py, but the recording is what aiortc gave the caller's side: behind ICE, SRTP, Opus and a jitter
buffer, in real time. The words follow each other closely here: where nobody speaks, no codec says how far it is.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import Count, KeepFigures
from live_rig import LiveBridge, LiveCall, SeenUpstream, until
from rtbridge.core import pcm
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities
from scripted_engine import scripted
from test_truncation import OFF_BY_MS, ONE_DESK, Off
from truncation_rig import FILES, Interrupter, Talker, WordsVoice, recorded, stops, words_heard

pytestmark = pytest.mark.wire

A_CALL = 5  # interruptions
AT_ONCE = 2  # calls
UNREADABLE = 0.1  # of the places: where the loop was late, a jitter buffer gives up what came
CLOSE = ((5, 40), (15, 60))  # ms between words, and between sentences


class TalkingUpstream(SeenUpstream):
    """An engine in memory that talks, and keeps what it made by item."""

    def __init__(self, seed: int) -> None:
        self.voice = WordsVoice(CLOSE)
        self.seen: list[dict[str, Any]] = []
        self.made: dict[str, bytearray] = {}
        self.texts: dict[str, str] = {}
        parts = scripted(Talker(seed, (1, 2)).answer, voice=self.voice)
        capabilities = Capabilities(is_engine=True, word_times=True)
        MemoryUpstream.__init__(self, parts, capabilities=capabilities)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        async for event in super().events():
            if event["type"] == "response.output_audio.delta":
                sound = base64.b64decode(event["delta"])
                self.made.setdefault(event["item_id"], bytearray()).extend(sound)
            elif event["type"] == "response.output_audio_transcript.delta":
                self.texts[event["item_id"]] = self.texts.get(event["item_id"], "") + event["delta"]
            yield event

    @property
    def cuts(self) -> Mapping[str, int]:
        return {
            event["item_id"]: event["audio_end_ms"]
            for event in self.seen
            if event["type"] == "conversation.item.truncate"
        }


class TalkingBridge(LiveBridge):
    """A bridge whose agent talks and talks."""

    agents = ONE_DESK

    def dial(self) -> SeenUpstream:
        self.upstreams.append(TalkingUpstream(len(self.upstreams)))
        return self.upstreams[-1]


class Line:
    """An interrupter on a wire: what has come is heard, then 20 ms are said."""

    def __init__(self, caller: Interrupter) -> None:
        self.caller = caller
        self.call: LiveCall | None = None
        self._listened = 0

    def speak(self, samples: int) -> bytes:
        if self.call is None:
            return pcm.silence(samples)
        while self._listened + pcm.FRAME_BYTES <= len(self.call.heard):
            frame = bytes(self.call.heard[self._listened : self._listened + pcm.FRAME_BYTES])
            self._listened += pcm.FRAME_BYTES
            self.caller.listen(frame)
        return self.caller.say()


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[TalkingBridge]:
    bridge = TalkingBridge(Settings(), folder)
    async with bridge.up():
        yield bridge


@dataclass(frozen=True)
class Called:
    """What is left of a call."""

    caller: Interrupter
    upstream: TalkingUpstream
    told: list[dict[str, Any]]


async def interrupted(bridge: TalkingBridge, turn: asyncio.Lock, seed: int, times: int) -> Called:
    """Make a call with so many interruptions."""
    line = Line(Interrupter(seed, times, coughs=0.0, longest_ms=2_500))
    async with AsyncExitStack() as stack:
        async with turn:  # the rig takes the upstream that was dialled last for the call's
            call = line.call = await stack.enter_async_context(bridge.call(speak=line.speak, quietly=False))
        await until(lambda: line.caller.is_over, f"{times} interruptions", timeout_s=30 + 8 * times)
        upstream = call.upstream
        assert isinstance(upstream, TalkingUpstream)
    return Called(line.caller, upstream, call.told)


def compared(call: Called) -> tuple[list[Off], int]:
    """Hold each interruption of a call against the recording; return also how many of them it does not show."""
    caller, upstream = call.caller, call.upstream
    heard = np.frombuffer(bytes(caller.heard), "<i2")
    made = {item_id: bytes(sound) for item_id, sound in upstream.made.items()}
    texts = {e["item_id"]: e["heard_text"] for e in call.told if e["type"] == "rtbridge.item.heard"}
    found: dict[str, Off] = {}
    for stop in stops(heard, caller.began_at, made, alike=0.0):
        if stop is None:
            continue
        made_so_far = upstream.texts[stop.item_id]  # less than all of it where it was cancelled
        line = next(one for one in upstream.voice.lines.values() if one.text.startswith(made_so_far))
        if stop.item_id not in upstream.cuts:
            left_ms = pcm.ms_of_samples(pcm.samples_of(line.sound) - stop.samples)
            assert left_ms <= OFF_BY_MS, f"{stop} was not truncated, with {left_ms} ms left to say"
            continue
        text = texts[stop.item_id]
        assert line.text.startswith(text)
        off_ms = upstream.cuts[stop.item_id] - pcm.ms_of_samples(stop.samples)
        found[stop.item_id] = Off(off_ms, len(text.split()) - words_heard(line, stop.samples))
    assert found.keys() <= upstream.cuts.keys()
    return list(found.values()), len(upstream.cuts) - len(found)


async def test_the_upstream_keeps_what_a_client_has_decoded_and_the_transcript_its_words(
    tmp_path: Path, count: Count, keep_figures: KeepFigures
) -> None:
    wanted = count(2, 50)
    offs: list[Off] = []
    seed, unreadable, turn = 0, 0, asyncio.Lock()
    for word in FILES:
        recorded(word)
    async with talking(tmp_path) as bridge:
        while len(offs) < wanted:
            calls = AT_ONCE if wanted > A_CALL else 1
            times = min(A_CALL, wanted)
            made = (interrupted(bridge, turn, seed + n, times) for n in range(calls))
            # All calls are over before anything is compared: that would hold the loop on which they run.
            for one in await asyncio.gather(*made):
                shown, more = compared(one)
                offs, unreadable = [*offs, *shown], unreadable + more
            seed += calls
    ordered = sorted(abs(one.ms) for one in offs)
    words_off = max(abs(one.words) for one in offs)
    figures = {
        "interruptions": len(offs),
        "unreadable": unreadable,
        "off_ms": {"p50": ordered[len(ordered) // 2], "max": ordered[-1]},
        "words_off_max": words_off,
    }
    print(json.dumps(figures))
    keep_figures("truncation_on_wire", figures)
    assert unreadable <= max(1, UNREADABLE * len(offs))
    assert ordered[-1] <= OFF_BY_MS
    assert words_off <= 1
