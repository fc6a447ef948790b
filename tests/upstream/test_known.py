"""An upstream given as URL: our engine is known there, nobody else is taken for it, and strangers are not asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from rtbridge import serving
from rtbridge.core import journal
from rtbridge.core.leg import LegGone, LegUp
from rtbridge.engine.parts import Act, Say, Turn
from rtbridge.engine.server import serving as serving_engine
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream.known import is_engine
from scripted_engine import numbered_ids, scripted
from session_rig import TestLeg, scenario_in


@asynccontextmanager
async def answering(livez: web.Response) -> AsyncIterator[str]:
    """A server that is no engine; yields its ws:// URL."""

    async def answer(_request: web.Request) -> web.Response:
        return livez

    app = web.Application()
    app.router.add_get("/livez", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    finally:
        await runner.cleanup()


async def test_the_engine_says_that_it_is_the_engine() -> None:
    async with serving_engine(scripted()) as running:
        assert await is_engine(running.realtime_url) is True


@pytest.mark.parametrize(
    "livez",
    [
        lambda: web.json_response({"status": "ok"}),
        lambda: web.json_response(["rtbridge engine"]),
        lambda: web.Response(text="<html>"),
        lambda: web.Response(text="[" * 100_000),
        lambda: web.Response(status=302, headers={"Location": "http://example.com/livez"}),
    ],
)
async def test_another_server_is_not_taken_for_it(livez: object) -> None:
    assert callable(livez)
    async with answering(livez()) as url:
        assert await is_engine(url) is False


async def test_a_host_elsewhere_is_not_asked_and_a_dead_port_is_nobody() -> None:
    assert await is_engine("wss://realtime.example.com/v1/realtime") is False
    async with answering(web.Response()) as url:
        pass
    assert await is_engine(url) is None


async def test_a_bridge_given_the_engines_url_speaks_the_scenarios_lines_and_uses_its_text_models(
    tmp_path: Path,
) -> None:
    prompts: list[str | None] = []

    def answer(turn: Turn) -> Iterable[Act]:
        prompts.append(turn.prompt_id)
        return [Say("Hello.")]

    entries: list[journal.Entry] = []
    leg = TestLeg()
    async with serving_engine(scripted(answer)) as running, AsyncExitStack() as stack:
        settings = Settings(upstream=running.realtime_url, moderation_open=True)
        dial, text_model, demo = await serving._upstream(settings, tmp_path, stack)
        assert demo is True
        assert text_model is not None
        session = Session(
            call_id="rtc_1",
            scenario=scenario_in(tmp_path, guarded=True),
            agent="front",
            leg=leg,
            upstream=dial(),
            settings=settings,
            record=lambda _call_id, _at_ms, entry: entries.append(entry),
            new_id=numbered_ids(),
            text_model=text_model,
        )
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            leg.inbox.put_nowait(LegUp())
            while not any(isinstance(entry, journal.ItemHeard) for entry in entries):
                await leg.pass_ms(20)
            leg.inbox.put_nowait(LegGone("bye"))
    assert prompts == ["desks/front"]
    judged = [entry.state for entry in entries if isinstance(entry, journal.GuardrailJudged)]
    assert "pending" in judged
