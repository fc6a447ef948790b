"""The waterfall of a turn against the caller's recording: it adds up to what was heard, and blames who was slow."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Final

import pytest

from conftest import Count, KeepFigures
from recorded_gap import recordings
from rtbridge.core import pcm
from rtbridge.core.journal import LATENCY_PARTS
from rtbridge.replay.clock import on_virtual_time
from session_rig import scenario_in
from waterfall_rig import DESK, WaterfallCall

TURNS_A_CALL: Final = 20
WITHIN_MS: Final = 20.0
SHARE: Final = 0.95


def drawn(lot: random.Random) -> dict[str, float]:
    """Return what each stage of a turn takes."""
    return {
        "endpoint": lot.uniform(0, 300),
        "commit": lot.uniform(0, 80),
        "request": lot.uniform(0, 250),
        "tools": lot.uniform(200, 2_400) if lot.random() < 0.1 else 0.0,
        "created": lot.uniform(0, 150),
        "model": lot.uniform(30, 700),
        "gate": lot.uniform(0, 700),
        "playout": lot.choice((0, 0, 20, 60)),
        "lead": lot.uniform(0, 400),
        "wire": lot.uniform(0, 25),
        "speedup": lot.choice((2.0, 6.0, 40.0)),
    }


def test_the_waterfall_adds_up_to_the_gap_in_the_callers_recording(
    tmp_path: Path, count: Count, keep_figures: KeepFigures
) -> None:
    """Every call has its own room and network; one turn in ten waits for a tool, and hears a filler if it is long."""
    turns = count(20, 500)
    off_ms: list[float] = []
    said_by_itself = 0
    for call_number in range(turns // TURNS_A_CALL):

        @on_virtual_time(limit_s=1_700)
        async def talk(number: int = call_number) -> None:
            nonlocal said_by_itself
            lot = random.Random(f"waterfall {number}")
            call = WaterfallCall(
                scenario_in(tmp_path, DESK, guarded=True),
                seed=number,
                hears_first=lot.random() < 0.5,
                noise=lot.choice((0.0, 20.0, 40.0)),
            )
            call.jitter_ms = lot.choice((0.0, 5.0, 18.0))
            async with call.up():
                for _ in range(TURNS_A_CALL):
                    await asyncio.sleep(lot.uniform(0.1, 0.5))
                    told, recorded_ms = await call.turn(lot.choice(recordings()), **drawn(lot))
                    assert told.respond_ms is not None
                    assert told.respond_ms == sum(told.as_dict()[part] for part in LATENCY_PARTS)
                    off_ms.append(told.respond_ms - recorded_ms)
                said_by_itself += len(call.leg.events_told("rtbridge.turn.ended"))

        talk()
    within = sum(abs(off) <= WITHIN_MS for off in off_ms)
    ranked = sorted(abs(off) for off in off_ms)
    figures = {
        "turns": len(off_ms),
        "within_20_ms": within,
        "p50_ms": round(ranked[len(ranked) // 2], 1),
        "p95_ms": round(ranked[int(len(ranked) * 0.95)], 1),
        "worst_ms": round(ranked[-1], 1),
        "mean_ms": round(sum(off_ms) / len(off_ms), 1),
    }
    keep_figures("waterfall", figures)
    assert said_by_itself == len(off_ms) == turns
    assert within >= SHARE * len(off_ms), figures


def test_a_turn_that_is_pushed_to_talk_is_timed_from_the_voice_and_not_from_the_button(
    tmp_path: Path, count: Count
) -> None:
    turns = count(6, 60)
    off_ms: list[float] = []

    @on_virtual_time(limit_s=1_700)
    async def talk() -> None:
        lot = random.Random("by hand")
        call = WaterfallCall(scenario_in(tmp_path, DESK, guarded=True), seed=11)
        async with call.up(), asyncio.TaskGroup() as hands:
            none = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            call.leg.say({"type": "session.update", "session": none})
            for _ in range(turns):
                await asyncio.sleep(lot.uniform(0.1, 0.5))
                sound, late_s = lot.choice(recordings()), lot.uniform(-0.1, 0.4)

                async def push(held_s: float = len(sound) / 2 / pcm.RATE + late_s) -> None:
                    call.leg.say({"type": "input_audio_buffer.clear"})
                    await asyncio.sleep(held_s)
                    call.leg.say({"type": "input_audio_buffer.commit"})
                    call.leg.say({"type": "response.create"})

                hands.create_task(push())
                told, recorded_ms = await call.turn(sound, **drawn(lot))
                assert told.respond_ms is not None
                off_ms.append(told.respond_ms - recorded_ms)
            assert not call.leg.events_told("input_audio_buffer.speech_stopped")

    talk()
    assert sum(abs(off) <= WITHIN_MS for off in off_ms) >= SHARE * turns, off_ms


SLOW_MS: Final = 240.0
# A gate and a caller's verdict have less than the time after which nobody waits for them.


@pytest.mark.parametrize("slow", [part.removesuffix("_ms") for part in LATENCY_PARTS])
def test_whoever_is_slow_is_blamed_and_nobody_else(tmp_path: Path, slow: str) -> None:
    """Break one stage of the bridge or of its far ends: that part grows by the delay, and the others do not."""
    told: dict[str, dict[str, int]] = {}

    @on_virtual_time(limit_s=120)
    async def talk(name: str, delay_ms: float) -> None:
        call = WaterfallCall(scenario_in(tmp_path, DESK, guarded=True), seed=7)
        async with call.up():
            plain = {"model": 100.0, "gate": 40.0, "request": 40.0, "lead": 50.0}
            plain |= {"tools": 100.0} if name == "tools" else {}
            turn, recorded_ms = await call.turn(
                recordings()[3], **{**plain, name: plain.get(name, 0.0) + delay_ms}
            )
            assert turn.respond_ms == pytest.approx(recorded_ms, abs=WITHIN_MS)
            told[f"{delay_ms:g}"] = turn.as_dict()

    talk(slow, 0.0)
    talk(slow, SLOW_MS)
    before, after = told["0"], told[f"{SLOW_MS:g}"]
    grown = {part: after[part] - before[part] for part in LATENCY_PARTS}
    others = {part: ms for part, ms in grown.items() if part != f"{slow}_ms"}
    assert grown[f"{slow}_ms"] == pytest.approx(SLOW_MS, abs=WITHIN_MS), grown
    assert all(abs(ms) <= WITHIN_MS for ms in others.values()), grown
