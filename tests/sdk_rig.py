"""The Agents SDK's session over a BridgeModel, with what it asked for and wire events to feed it, all in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agents.realtime import (
    RealtimeAgent,
    RealtimeModelEvent,
    RealtimeModelListener,
    RealtimeSessionEvent,
    RealtimeSessionModelSettings,
)

from agents import Tool, function_tool
from rtbridge.core.asks import Ask, ToolOutput
from rtbridge.upstream.model import BridgeModel, BridgeSession

Wire = dict[str, Any]
PATIENCE_S = 5.0  # how long a test waits for what must come; never how long it takes


class Listener(RealtimeModelListener):
    """Keeps what a session would be told."""

    def __init__(self) -> None:
        self.events: list[RealtimeModelEvent] = []

    async def on_event(self, event: RealtimeModelEvent) -> None:
        self.events.append(event)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


class SdkRig:
    """One session, entered."""

    def __init__(self) -> None:
        self.asks: asyncio.Queue[Ask] = asyncio.Queue()
        self.told: list[RealtimeSessionEvent] = []
        self.tellings = asyncio.Event()
        self.model = BridgeModel(self.asks.put_nowait)
        self.listener = Listener()
        self.model.add_listener(self.listener)

    def tell(self, event: RealtimeSessionEvent) -> None:
        self.told.append(event)
        self.tellings.set()

    async def asked(self) -> Ask:
        return await asyncio.wait_for(self.asks.get(), PATIENCE_S)

    async def output(self) -> Any:
        """The next ask, which must be a tool's output: its text, parsed when it is JSON."""
        ask = await self.asked()
        assert isinstance(ask, ToolOutput), ask
        try:
            return json.loads(ask.output)
        except ValueError:
            return ask.output

    async def told_of(self, kind: str) -> RealtimeSessionEvent:
        """The first session event of this type; waits for it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.told:
                    if event.type == kind:
                        return event
                self.tellings.clear()
                await self.tellings.wait()

    async def deliver(self, *events: Wire) -> None:
        for event in events:
            await self.model.deliver(event)


@asynccontextmanager
async def sdk(
    agent: RealtimeAgent[Any],
    *,
    context: Any = None,
    settings: RealtimeSessionModelSettings | None = None,
) -> AsyncIterator[tuple[SdkRig, BridgeSession]]:
    """Enter a session of `agent`; the first ConfigureSession is taken off already."""
    rig = SdkRig()
    session = BridgeSession(
        rig.model,
        agent,
        context,
        settings=settings or {},
        tell=rig.tell,
    )
    async with session:
        await rig.asked()
        yield rig, session


def agent_with(*tools: Tool, name: str = "solo", handoffs: Sequence[Any] = ()) -> RealtimeAgent[Any]:
    return RealtimeAgent(
        name=name, instructions=f"You are {name}.", tools=list(tools), handoffs=list(handoffs)
    )


def function_call(name: str, arguments: str = "{}", *, call_id: str = "call_1", **more: Any) -> Wire:
    item = {
        "id": f"item_{call_id}",
        "object": "realtime.item",
        "type": "function_call",
        "status": "completed",
        "name": name,
        "call_id": call_id,
        "arguments": arguments,
        **more,
    }
    return {
        "type": "response.output_item.done",
        "event_id": "event_x",
        "response_id": "resp_1",
        "output_index": 0,
        "item": item,
    }


def message(kind: str, item_id: str, role: str, *content: Wire, **more: Any) -> Wire:
    item = {"id": item_id, "type": "message", "role": role, "status": "completed", "content": list(content)}
    return {"type": kind, "event_id": "event_x", "item": item, **more}


def created(response_id: str = "resp_1") -> Wire:
    return {
        "type": "response.created",
        "event_id": "event_x",
        "response": {"id": response_id, "status": "in_progress"},
    }


def done(response_id: str = "resp_1", **more: Any) -> Wire:
    response = {"id": response_id, "object": "realtime.response", "status": "completed", "output": [], **more}
    return {"type": "response.done", "event_id": "event_x", "response": response}


@function_tool
async def weather(city: str) -> str:
    return f"{city}: sunny"
