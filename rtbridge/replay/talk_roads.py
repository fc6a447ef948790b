"""The two roads of `rtbridge talk`: WebRTC to a running bridge, or bridge and engine in this process."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp

from rtbridge.agents.local_text import LocalTextModel
from rtbridge.agents.scenario import Scenario
from rtbridge.core import journal
from rtbridge.core.pcm import silence
from rtbridge.engine.connection import random_id
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import EngineParts
from rtbridge.errors import Closed, ReplayError
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.talker import Talker
from rtbridge.replay.wire import CALLS_PATH, HTTP_TIMEOUT_S, Ears
from rtbridge.rtc.client import WireCaller
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities


async def call_in_process(
    talker: Talker, *, scenario: Scenario, agent: str | None, parts: EngineParts, settings: Settings
) -> None:
    """Carry the call, on the clock of whatever loop this runs on."""
    caller = ReplayCaller(talker)

    def record(_call_id: str, _at_ms: int, _entry: journal.Entry) -> None:
        """What the caller is told is the transcript; nothing else is kept."""

    session = Session(
        call_id=random_id("rtc"),
        new_id=random_id,
        scenario=scenario,
        agent=agent or scenario.start,
        leg=caller,
        upstream=MemoryUpstream(parts, capabilities=Capabilities(is_engine=True, word_times=True)),
        settings=settings,
        record=record,
        text_model=lambda name: LocalTextModel(parts.text, name),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(caller.run(), name="caller")
        reason = await session.run()
    talker.ended_by_peer(reason)


async def call_on_wire(
    talker: Talker, *, url: str, scenario: str | None, agent: str | None, api_key: str = ""
) -> None:
    """Carry the call in real time to the bridge at `url`. Raises ReplayError when it cannot be carried out."""
    ears = Ears()
    is_up, over = asyncio.Event(), asyncio.Event()

    def speak(samples: int) -> bytes:
        if not is_up.is_set() or talker.is_over:
            return silence(samples)
        said = talker.tick(ears.frame())
        if talker.is_over:
            over.set()
        return said

    wire = WireCaller(
        speak=speak, listen=lambda chunk: ears.hear(chunk) if is_up.is_set() else None, message=talker.message
    )
    target = url.rstrip("/") + CALLS_PATH
    query = {key: value for key, value in (("scenario", scenario), ("agent", agent)) if value}
    headers = {"Content-Type": "application/sdp"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)) as http:
            async with http.post(target, params=query, data=await wire.offer(), headers=headers) as response:
                body = await response.text()
                if response.status != 201:
                    why = f"{response.status} {body[:300]}"
                    raise ReplayError(f"{target}: the bridge refused the call: {why}")
                await wire.accept(body)
                location = url.rstrip("/") + response.headers["Location"]
            try:
                await wire.opened()
                is_up.set()
                await _until_over(wire, over)
                talker.ended_by_peer("the bridge ended the call")
            finally:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await http.delete(location, headers=headers)
    except (aiohttp.ClientError, TimeoutError, Closed) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise ReplayError(f"{url}: the call could not be carried out: {why}") from error
    finally:
        await wire.close()


async def _until_over(wire: WireCaller, over: asyncio.Event) -> None:
    """Wait until the caller hangs up or the bridge does."""

    async def ended() -> None:
        await wire.ended()
        over.set()

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(ended())
        await over.wait()
        watching.cancel()
