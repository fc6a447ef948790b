"""A recorded call without WebRTC: the bridge's own recording of a story on the virtual clock."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from rtbridge.agents.scenario import Scenario
from rtbridge.core import journal
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import EngineParts
from rtbridge.recording import Recording
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.run import CountingIds
from rtbridge.replay.script import Script
from rtbridge.replay.story import Story
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.port import Capabilities
from rtbridge.upstream.text import TextModels


def recorded(
    told: Story,
    home: Path,
    *,
    scenario: Scenario,
    parts: EngineParts,
    settings: Settings | None = None,
    text_model: TextModels | None = None,
    **about: Any,
) -> Recording:
    """Have a call that is recorded into `home`, and return its recording, finished."""
    settings = settings or Settings()

    async def call() -> Recording:
        script = Script(told)
        caller = ReplayCaller(script)
        new_id = CountingIds()
        recording = Recording(home, settings, {"scenario": scenario.id, "agent": scenario.start, **about})
        recording._queue.maxsize = (
            0  # a minute of the call takes a second here, and the disk has no more than that
        )
        engine = MemoryUpstream(
            parts, capabilities=Capabilities(is_engine=True, word_times=True), new_id=new_id
        )
        upstream, texts = recording.upstream(engine, text_model)

        def record(_call_id: str, at_ms: int, entry: journal.Entry) -> None:
            recording.entry(at_ms, entry)

        session = Session(
            call_id=home.name,
            scenario=scenario,
            agent=scenario.start,
            leg=recording.leg(caller),
            upstream=upstream,
            settings=settings,
            record=record,
            new_id=new_id,
            text_model=texts,
        )
        recording.announce = partial(session.call.note, journal.Recording())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(caller.run(), name="caller")
            script.ended_by_peer(await session.run())
        recording.finish()
        return recording

    return run_virtual(call, limit_s=600)
