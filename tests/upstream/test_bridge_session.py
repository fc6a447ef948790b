"""The SDK's own session over the model: no queue, an end when closed, and typed words as a wish."""

from __future__ import annotations

import asyncio
from typing import Any

from agents.realtime import RealtimeAgent, RealtimeSession

from rtbridge.core.asks import Ask, ConfigureSession, ToolOutput, UserText
from rtbridge.upstream.model import BridgeModel, BridgeSession
from sdk_rig import Listener, agent_with, created, done, function_call, message, sdk, weather


async def test_the_session_queues_nothing() -> None:
    async with sdk(agent_with(weather)) as (rig, session):
        for number in range(200):
            await rig.deliver(
                created(f"r{number}"),
                message("conversation.item.added", "u1", "user", {"type": "input_text", "text": "x"}),
                done(f"r{number}"),
            )
        assert session._event_queue.qsize() == 0
        assert len(rig.told) >= 600


async def test_iterating_the_session_ends_when_it_is_closed() -> None:
    model = BridgeModel(lambda _ask: None)
    session = BridgeSession(model, agent_with(), None, settings={})
    await session.enter()

    async def iterate() -> int:
        return len([event async for event in session])

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        counted = tasks.create_task(iterate())
        await asyncio.sleep(0)
        await session.close()
    assert counted.result() == 0


async def test_what_the_application_types_is_a_wish_too() -> None:
    async with sdk(agent_with()) as (rig, session):
        await session.send_message("hello")
        await session.send_message(
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"}],
            }
        )
        assert await rig.asked() == UserText("hello")
        assert await rig.asked() == UserText("one\ntwo")


async def test_the_stock_session_works_over_the_model_unchanged() -> None:
    asks: asyncio.Queue[Ask] = asyncio.Queue()
    model = BridgeModel(asks.put_nowait)
    listener = Listener()
    billing: RealtimeAgent[Any] = agent_with(weather, name="billing")
    async with RealtimeSession(model, agent_with(handoffs=[billing]), None) as session:
        model.add_listener(listener)
        assert isinstance(await asks.get(), ConfigureSession)
        await model.deliver(function_call("transfer_to_billing"))
        assert isinstance(await asyncio.wait_for(asks.get(), 5), ConfigureSession)
        assert await asyncio.wait_for(asks.get(), 5) == ToolOutput("call_1", '{"assistant": "billing"}')
        await model.deliver(function_call("weather", '{"city": "Oslo"}', call_id="call_2"))
        assert await asyncio.wait_for(asks.get(), 5) == ToolOutput("call_2", "Oslo: sunny")
        assert session.model is model
    await model.deliver(created())
    assert listener.types[-1] == "turn_started"
