"""Interrupted at any sample, the upstream keeps what the caller's own recording holds, and the transcript its words.

A thousand random interruptions on the virtual clock, with coughs in between that stop the agent for a moment: in half
of the calls the transcript comes at word times, in the other half ahead of the audio, and the words are found in the
sound. The truth is found by correlation in the recording (truncation_rig.py).
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from conftest import Count, KeepFigures
from rtbridge.agents.scenario import Scenario
from rtbridge.bench.bargein_call import Gate
from rtbridge.core import journal, pcm
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.run import TappedUpstream
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities, Upstream, WireEvent
from scripted_engine import scripted
from session_rig import scenario_in
from truncation_rig import Interrupter, Line, Talker, WordsVoice, counted, holds, stops, words_heard

ONE_DESK = '''"""One desk that talks."""

from agents.realtime import RealtimeAgent

start = RealtimeAgent(name="desk", instructions="You talk.")
'''
A_CALL = 10  # interruptions
OFF_BY_MS = 40


class Paced(TappedUpstream):
    """Keeps what was made and what was told upstream; lets audio come at a multiple of real time.

    `in_step` leaves each piece of text where it is, before its audio; else a message's text comes before all of it.
    """

    def __init__(self, inner: Upstream, speed: float, *, in_step: bool) -> None:
        super().__init__(inner)
        self.cuts: dict[str, int] = {}  # audio_end_ms by item
        self.deleted: set[str] = set()
        self.wrong: list[WireEvent] = []
        self._speed, self._in_step = speed, in_step
        self._made_s = 0.0
        self._cancelled = False

    def send(self, event: Mapping[str, Any]) -> None:
        if event["type"] == "conversation.item.truncate":
            assert event["item_id"] not in self.cuts, "an item is cut once"
            self.cuts[event["item_id"]] = event["audio_end_ms"]
        elif event["type"] == "conversation.item.delete":
            self.deleted.add(event["item_id"])
        self._cancelled = self._cancelled or event["type"] == "response.cancel"
        super().send(event)

    async def events(self) -> AsyncIterator[WireEvent]:
        loop = asyncio.get_running_loop()
        out: asyncio.Queue[WireEvent | None] = asyncio.Queue()
        slow: asyncio.Queue[WireEvent] = asyncio.Queue()
        tasks = [loop.create_task(self._read(out, slow)), loop.create_task(self._make(out, slow))]
        try:
            while (event := await out.get()) is not None:
                yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, out: asyncio.Queue[WireEvent | None], slow: asyncio.Queue[WireEvent]) -> None:
        """What is about an answer waits until it is made; what the upstream hears is told at once."""
        async for event in super().events():
            if event["type"] == "error" and event["error"]["code"] != "response_cancel_not_active":
                self.wrong.append(event)
            is_answer = (
                event["type"].startswith("response.") or event.get("item", {}).get("role") == "assistant"
            )
            (slow if is_answer else out).put_nowait(event)
        out.put_nowait(None)

    async def _make(self, out: asyncio.Queue[WireEvent | None], slow: asyncio.Queue[WireEvent]) -> None:
        behind: list[WireEvent] = []
        while True:
            event = await slow.get()
            if event["type"] == "response.output_audio.delta":
                behind.append(event)
            if self._in_step or not event["type"].endswith(".delta"):
                for audio in behind:
                    await self._take_time(audio)
                    if not self._cancelled:
                        out.put_nowait(audio)
                behind.clear()
            if event["type"] == "response.done":
                self._cancelled = False
            if not event["type"].endswith("audio.delta") and not (
                self._cancelled and event["type"].endswith(".delta")
            ):
                out.put_nowait(event)

    async def _take_time(self, audio: WireEvent) -> None:
        if self._cancelled:
            return
        loop = asyncio.get_running_loop()
        seconds = pcm.samples_of(base64.b64decode(audio["delta"])) / pcm.RATE
        self._made_s = max(self._made_s, loop.time()) + seconds / self._speed
        await asyncio.sleep(self._made_s - loop.time())


@dataclass
class Called:
    """What is left of a call."""

    caller: Interrupter
    upstream: Paced
    lines: dict[str, Line]
    said: list[tuple[str, str]]  # the session's own transcript at the end, as supervisors read it


def called(number: int, scenario: Scenario, times: int, *, in_step: bool) -> Called:
    """Make one call on the virtual clock."""
    return run_virtual(lambda: _called(number, scenario, times, in_step=in_step), limit_s=600)


async def _called(number: int, scenario: Scenario, times: int, *, in_step: bool) -> Called:
    voice, caller = WordsVoice(), Interrupter(number, times)
    parts = scripted(Talker(number).answer, voice=voice, vad=Gate)
    ids = counted()
    engine = MemoryUpstream(parts, capabilities=Capabilities(is_engine=True, word_times=in_step), new_id=ids)
    upstream = Paced(engine, random.Random(number).choice((1.3, 2.0, 5.0, 50.0)), in_step=in_step)
    leg = ReplayCaller(caller)
    session = Session(
        call_id=f"rtc_{number}",
        scenario=scenario,
        agent=scenario.start,
        leg=leg,
        upstream=upstream,
        settings=Settings(max_call_s=900),
        record=_ignore,
        new_id=ids,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(leg.run(), name="caller")
        await session.run()
    return Called(caller, upstream, voice.lines, session.transcript())


def _ignore(call_id: str, at_ms: int, entry: journal.Entry) -> None:
    pass


@dataclass(frozen=True)
class Off:
    """How far what the bridge says of one interruption is from the truth."""

    ms: float
    words: int


def compared(call: Called) -> list[Off]:
    """Hold each interruption of a call against the recording."""
    heard = np.frombuffer(bytes(call.caller.heard), "<i2")
    made = {item_id: bytes(sound) for item_id, sound in call.upstream.made.items()}
    texts = {item_id: "".join(text for _, text in found) for item_id, found in call.upstream.pieces.items()}
    told = _heard_texts(call.caller.told)
    said = [text.strip() for who, text in call.said if who != "user"]
    found: dict[str, Off] = {}
    for stop in stops(
        heard, call.caller.began_at, made, alike=0.999
    ):  # a cough's is that of the words after it
        if stop is None:
            continue
        line = next(line for line in call.lines.values() if line.text.startswith(texts[stop.item_id]))
        if pcm.samples_of(line.sound) - stop.samples < pcm.samples_of_ms(1):
            continue  # it had nothing left to say
        assert stop.item_id in call.upstream.cuts, f"{stop} was not truncated"
        text = told[stop.item_id]
        assert texts[stop.item_id].startswith(text)
        assert text in said, "what supervisors read is what was heard"
        off_ms = call.upstream.cuts[stop.item_id] - pcm.ms_of_samples(stop.samples)
        found[stop.item_id] = Off(off_ms, len(text.split()) - words_heard(line, stop.samples))
    assert call.upstream.cuts.keys() == found.keys(), "nothing but what was stopped is cut"
    for item_id, sound in made.items():
        was_heard = holds(heard, np.frombuffer(sound[:48], "<i2"))  # its first ms
        assert was_heard == (item_id not in call.upstream.deleted), f"{item_id}: heard {was_heard}"
    assert call.upstream.wrong == []
    return list(found.values())


def _heard_texts(told: list[str]) -> dict[str, str]:
    events = [json.loads(text) for text in told]
    return {e["item_id"]: e["heard_text"] for e in events if e["type"] == "rtbridge.item.heard"}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return scenario_in(tmp_path_factory.mktemp("truncation"), ONE_DESK)


def test_the_upstream_keeps_what_the_recording_holds_and_the_transcript_its_words(
    scenario: Scenario, count: Count, keep_figures: KeepFigures
) -> None:
    wanted = count(20, 1_000)
    offs: dict[bool, list[Off]] = {True: [], False: []}
    number = 0
    while sum(map(len, offs.values())) < wanted:
        in_step = number % 2 == 0
        offs[in_step] += compared(called(number, scenario, A_CALL, in_step=in_step))
        number += 1
    everything = [*offs[True], *offs[False]]
    by_words = {in_step: Counter(abs(one.words) for one in found) for in_step, found in offs.items()}
    figures = {
        "interruptions": len(everything),
        "off_ms_max": max(abs(one.ms) for one in everything),
        "words_off_at_word_times": dict(sorted(by_words[True].items())),
        "words_off_by_alignment": dict(sorted(by_words[False].items())),
    }
    print(figures)
    keep_figures("truncation", figures)
    assert max(abs(one.ms) for one in everything) <= OFF_BY_MS
    assert max(by_words[True]) <= 1
    close = sum(n for off, n in by_words[False].items() if off <= 1)
    assert close >= 0.95 * len(offs[False])
    assert max(by_words[False]) <= 3
