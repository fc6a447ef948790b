"""The caller as a leg on the virtual clock: 20 ms exactly, said before heard, one inbox."""

from __future__ import annotations

import asyncio

import pytest

from replay_rig import Agent, story, turn
from rtbridge.core import pcm
from rtbridge.core.leg import CallerLeg, LegEvent, LegGone, LegMessage, LegUp
from rtbridge.errors import Closed
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.clock import on_virtual_time
from rtbridge.replay.hearing import bursts_of
from rtbridge.replay.script import TAIL_MS, Script
from rtbridge.replay.story import Anchor


class Bridge:
    """Stands where the session stands: pulls are answered by `agent`, what is heard is kept with its time."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.pulled_at: list[float] = []
        self.heard: list[tuple[float, bytes]] = []

    def pull(self, samples: int) -> bytes:
        assert samples == pcm.FRAME_SAMPLES
        self.pulled_at.append(asyncio.get_running_loop().time())
        return self.agent.frame(len(self.pulled_at) - 1)

    def hear(self, chunk: bytes) -> None:
        assert len(chunk) == pcm.FRAME_BYTES
        self.heard.append((asyncio.get_running_loop().time(), chunk))


async def carried(script: Script, bridge: Bridge) -> list[LegEvent]:
    caller = ReplayCaller(script)
    leg: CallerLeg = caller
    leg.attach(pull=bridge.pull, hear=bridge.hear)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(caller.run())
        events = [event async for event in leg.events()]
    await leg.close()
    await leg.close()
    assert leg.stats() == {"frames": len(bridge.pulled_at)}
    assert (leg.rtt_ms, leg.wire_ms) == (0.0, 0.0)
    return events


@on_virtual_time()
async def test_every_frame_is_pulled_at_its_exact_time_and_heard_20_ms_after_it_began() -> None:
    script = Script(story(turn("one", after=Anchor.CALL_START, delay_ms=100, ms=400)))
    bridge = Bridge(Agent([(1000, 1500)]))
    await carried(script, bridge)
    assert bridge.pulled_at == [n * 20_000_000 / 1e9 for n in range(len(bridge.pulled_at))]
    assert [at for at, _ in bridge.heard] == bridge.pulled_at[1:]
    (burst,) = bursts_of(b"".join(chunk for _, chunk in bridge.heard))
    assert burst.start == pcm.samples_of_ms(100)
    assert len(bridge.pulled_at) == (1500 + TAIL_MS) // pcm.FRAME_MS + 1


@on_virtual_time()
async def test_the_leg_is_up_types_and_is_gone() -> None:
    script = Script(story(turn("typed", after=Anchor.CALL_START, delay_ms=40, typed="snow")))
    events = await carried(script, Bridge(Agent([(500, 900)])))
    assert events[0] == LegUp()
    assert [type(event) for event in events[1:-1]] == [LegMessage, LegMessage]
    assert events[-1] == LegGone("the caller hung up")


@on_virtual_time()
async def test_a_closed_leg_ends_the_caller_in_the_middle_of_its_story() -> None:
    script = Script(story(turn("one")))
    caller = ReplayCaller(script)
    bridge = Bridge(Agent([(0, 30_000)]))
    caller.attach(pull=bridge.pull, hear=bridge.hear)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(caller.run())
        await asyncio.sleep(1.01)
        caller.send('{"type": "rtbridge.call.closed"}')
        await caller.close()
    assert running.done()
    assert script.stuck == 'the call was ended (the bridge closed the leg) before turn "one" was over'
    assert script.messages[0].at_ms == 1020


@on_virtual_time()
async def test_a_leg_closed_before_it_was_attached_has_nothing_to_run() -> None:
    caller = ReplayCaller(Script(story(turn("one"))))
    await caller.close()
    await caller.run()
    assert [event async for event in caller.events()] == [LegGone("closed")]


@on_virtual_time()
async def test_running_a_leg_without_an_audio_road_is_a_bug_of_ours() -> None:
    caller = ReplayCaller(Script(story(turn("one"))))
    caller._attached.set()
    with pytest.raises(Closed):
        await caller.run()
