"""Putting the parts together: settings, scenarios, upstream, switchboard and server, into what `serve` runs.

The one place that knows every room. Each function imports what it needs when it is called, so that a bridge with a
key needs no speech models.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from rtbridge import logs
from rtbridge.errors import MissingPart, SettingsError
from rtbridge.settings import Settings

if TYPE_CHECKING:
    from rtbridge.core.journal import Entry
    from rtbridge.engine.faults import Fault
    from rtbridge.engine.parts import EngineParts
    from rtbridge.upstream.port import Upstream
    from rtbridge.upstream.text import TextModels


async def serving(settings: Settings) -> None:
    """Serve the page and take calls until asked to leave. Raises RtbridgeError for what cannot be served."""
    from rtbridge.agents.mcp_thread import McpThread
    from rtbridge.agents.scenario import default_root, load_scenarios
    from rtbridge.rtc import private
    from rtbridge.rtc.config import PeerConfig
    from rtbridge.rtc.peer import Peer
    from rtbridge.server import page, run
    from rtbridge.server.app import Bridge
    from rtbridge.server.ops import Metrics
    from rtbridge.switchboard import Switchboard
    from rtbridge.upstream.text import trace_agents

    trace_agents(settings.tracing)
    private.self_test()
    config = PeerConfig.of(settings)
    root = settings.scenarios or default_root()
    scenarios = load_scenarios(root, tool_timeout_s=settings.tool_timeout_s)
    files = page.Page(page.default_root())
    metrics = Metrics()

    def record(call_id: str, at_ms: int, entry: Entry) -> None:
        logs.record(call_id, at_ms, entry)
        metrics.record(call_id, at_ms, entry)

    async with AsyncExitStack() as stack:
        servers = (scenario.mcp for scenario in scenarios.values())
        stack.enter_context(McpThread(servers, connect_timeout_s=settings.mcp_connect_timeout_s))
        dial, text_model, demo = await _upstream(settings, root, stack)
        board = await stack.enter_async_context(
            Switchboard(
                settings=settings, scenarios=scenarios, dial=dial, record=record, text_model=text_model
            )
        )
        bridge = Bridge(
            settings,
            board=board,
            make_leg=lambda: Peer(config),
            page=files,
            demo=demo,
            now_s=asyncio.get_running_loop().time,
            metrics=metrics,
        )

        def ready(url: str) -> None:
            logs.get().info("server.started", url=url, upstream=dial().url, scenarios=sorted(scenarios))
            print(f"Open {url} and talk.", flush=True)

        await run.serve(bridge, board, host=settings.host, port=settings.port, ready=ready)


async def _upstream(
    settings: Settings, root: Path, stack: AsyncExitStack
) -> tuple[Callable[[], Upstream], TextModels | None, bool]:
    """Return how to dial the settings' upstream, where its text models are, and whether it is the engine."""
    from rtbridge.upstream.dial import dial_openai, dial_url
    from rtbridge.upstream.port import Capabilities
    from rtbridge.upstream.text import openai_text_models

    text_models = openai_text_models(settings) if settings.openai_api_key else None
    if settings.upstream.startswith(("ws://", "wss://")):
        return await _given(settings, text_models, stack)
    if settings.upstream == "openai" or (settings.upstream == "auto" and settings.openai_api_key):
        return lambda: dial_openai(settings), text_models, False
    parts = await asyncio.to_thread(load_engine, settings, root)
    from rtbridge.agents.local_text import LocalTextModel
    from rtbridge.engine.server import serving as serving_engine

    running = await stack.enter_async_context(serving_engine(parts))
    why = "no OPENAI_API_KEY" if settings.upstream == "auto" else "upstream is engine"
    logs.get().info(
        "engine.started", url=running.realtime_url, because=why, note="demo voices and offline lines"
    )
    capabilities = Capabilities(is_engine=True, word_times=True)
    return (
        lambda: dial_url(running.realtime_url, capabilities=capabilities),
        lambda name: LocalTextModel(parts.text, name),
        True,
    )


async def _given(
    settings: Settings, text_models: TextModels | None, stack: AsyncExitStack
) -> tuple[Callable[[], Upstream], TextModels | None, bool]:
    """Return the same for an upstream given as URL, which may be an engine in a process of its own."""
    from rtbridge.upstream.dial import dial_url
    from rtbridge.upstream.known import is_engine
    from rtbridge.upstream.port import Capabilities
    from rtbridge.upstream.text import engine_text_models

    key = settings.upstream_api_key
    url, secret = settings.upstream, key.get_secret_value() if key else ""
    known = await is_engine(url)
    if known:
        capabilities = Capabilities(is_engine=True, word_times=True)
        text_models = text_models or await stack.enter_async_context(engine_text_models(url))
        return lambda: dial_url(url, api_key=secret, capabilities=capabilities), text_models, True
    if known is None:
        note = "nobody answers there yet; if it is to be `rtbridge engine`, start that first, then this"
        logs.get().warning("upstream.silent", url=dial_url(url).url, note=note)
    if text_models is None:
        note = (
            "supervisors fall back, and agents with guardrails are not heard, without a text model: set "
            "OPENAI_API_KEY, or RTBRIDGE_MODERATION_OPEN=true to have unchecked words played"
        )
        logs.get().warning("text_models.missing", note=note)
    return lambda: dial_url(url, model=settings.model, api_key=secret), text_models, False


def load_engine(settings: Settings, brains: Path | None) -> EngineParts:
    """Load the engine's ears, voice and wits. Blocking. Raises MissingPart without the extra `engine`."""
    try:
        from rtbridge.engine.load import load_parts
    except ModuleNotFoundError as error:
        raise MissingPart(
            f"the engine needs the package {error.name}: pip install 'rtbridge[engine]', or set OPENAI_API_KEY"
        ) from None
    key = settings.brain_api_key
    return load_parts(
        brains=brains,
        model_dir=settings.model_dir,
        brain_url=settings.brain_url,
        brain_model=settings.brain_model,
        brain_api_key=key.get_secret_value() if key else None,
        moderation_words=settings.moderation_words,
    )


async def engine_alone(parts: EngineParts, host: str, port: int, faults: Sequence[Fault] = ()) -> None:
    """Serve the engine alone until asked to leave. Raises SettingsError when it cannot listen."""
    from rtbridge.engine.server import serving as serving_engine
    from rtbridge.server.run import cannot_bind, until_asked_to_leave

    try:
        async with serving_engine(parts, host, port, faults=faults) as running:
            logs.get().info("engine.started", url=running.realtime_url)
            print(f"The engine answers at {running.realtime_url}.", flush=True)
            await until_asked_to_leave()
    except OSError as error:
        raise SettingsError(cannot_bind(host, port, error)) from None
