"""`rtbridge doctor`: in plain words, what this machine has, what is missing, and what `rtbridge serve` would use.

It changes nothing and goes nowhere: no request leaves the machine, a port is tried and given back.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Final

from rtbridge.errors import RtbridgeError
from rtbridge.settings import Settings, env_name

_OURS_FOR_OTHERS: Final = ("RTBRIDGE_ACCEPT",)  # read by the tests
Finding = tuple[str, str]  # "ok", "note" or "bad", and the words


def examine(settings: Settings) -> int:
    """Print all findings; returns 0 when `rtbridge serve` would start, else 1."""
    findings = [finding for look in _LOOKS for finding in look(settings)]
    for mark, words in findings:
        print(f"{mark:4}  {words}")
    bad = sum(mark == "bad" for mark, _ in findings)
    print(f"\n{bad} to repair." if bad else "\nReady: rtbridge serve")
    return 1 if bad else 0


def uses_engine(settings: Settings) -> bool:
    """Tell whether `serve` would start the embedded engine."""
    return settings.upstream == "engine" or (settings.upstream == "auto" and settings.openai_api_key is None)


def _python(_settings: Settings) -> Iterator[Finding]:
    mark = "ok" if sys.version_info >= (3, 11) else "bad"
    yield (
        mark,
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )


def _media(_settings: Settings) -> Iterator[Finding]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("aiortc", "aioice", "av"))
    try:
        from rtbridge.rtc import codec, private

        private.self_test()
        codec.libopus()
    except (RtbridgeError, ImportError) as error:
        yield "bad", f"media: {error}"
    else:
        yield "ok", f"media: {versions}, libopus loads"


def _upstream(settings: Settings) -> Iterator[Finding]:
    if uses_engine(settings):
        yield (
            "ok",
            "upstream: the embedded engine (no OPENAI_API_KEY)"
            if settings.upstream == "auto"
            else "upstream: the embedded engine",
        )
    elif settings.upstream.startswith(("ws://", "wss://")):
        from rtbridge.upstream.websocket import redacted

        yield "ok", f"upstream: {redacted(settings.upstream)}"
    else:
        yield (
            "ok",
            f"upstream: {settings.openai_base_url} with model {settings.model}; the key is set (not tried)",
        )


def _engine(settings: Settings) -> Iterator[Finding]:
    mark = "bad" if uses_engine(settings) else "note"
    try:
        from rtbridge.engine import models
        from rtbridge.engine.load import load_parts, report

        parts = load_parts(model_dir=settings.model_dir)
    except ModuleNotFoundError as error:
        yield mark, f"engine: the package {error.name} is missing: pip install 'rtbridge[engine]'"
    except RtbridgeError as error:
        yield mark, f"engine: {error}"
    else:
        found = {**models.versions(), **report(parts)}
        yield (
            "ok",
            "engine: models load; " + ", ".join(f"{name} {version}" for name, version in found.items()),
        )


def _scenarios(settings: Settings) -> Iterator[Finding]:
    from rtbridge.agents.scenario import check, default_root, load_scenarios

    root = settings.scenarios or default_root()
    try:
        scenarios = load_scenarios(root, tool_timeout_s=settings.tool_timeout_s)
    except RtbridgeError as error:
        yield from (("bad", f"scenarios: {line}") for line in str(error).splitlines())
        return
    yield "ok", f"scenarios: {', '.join(scenarios)} in {root}"
    for scenario in scenarios.values():
        yield from (("note", f"scenario {scenario.id}: {problem}") for problem in check(scenario))


def _page(_settings: Settings) -> Iterator[Finding]:
    from rtbridge.server.page import default_root

    try:
        yield "ok", f"page: {default_root()}"
    except RtbridgeError as error:
        yield "bad", str(error)


def _door(settings: Settings) -> Iterator[Finding]:
    try:
        settings.refuse_open_doors()
    except RtbridgeError as error:
        yield "bad", str(error)
        return
    who = "callers need a key" if settings.api_keys else "this machine's own page and programs may call"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((settings.host, settings.port))
        except OSError as error:
            yield (
                "bad",
                f"{settings.host} port {settings.port} cannot be had ({error.strerror}); try --port 0",
            )
        else:
            yield "ok", f"{settings.host} port {settings.port} is free; {who}"
    ports = settings.media_port_range
    if ports is not None and (ports[1] - ports[0] + 1) < settings.max_calls:
        yield (
            "note",
            f"media ports {settings.media_ports} are fewer than {settings.max_calls} calls (one call, one port)",
        )


def _extras(_settings: Settings) -> Iterator[Finding]:
    try:
        yield "ok", f"uvloop {metadata.version('uvloop')}"
    except metadata.PackageNotFoundError:
        yield "note", "uvloop is not installed; asyncio's own loop will do: pip install 'rtbridge[fast]'"
    known = {env_name(field) for field in Settings.model_fields} | set(_OURS_FOR_OTHERS)
    known |= {f"RTBRIDGE_{field.upper()}" for field in Settings.model_fields}
    for name in sorted(set(os.environ) - known):
        if name.startswith("RTBRIDGE_"):
            yield "note", f"{name} is set and no setting has that name; .env.sample lists them all"


_LOOKS: Final[tuple[Callable[[Settings], Iterator[Finding]], ...]] = (
    _python,
    _media,
    _upstream,
    _engine,
    _scenarios,
    _page,
    _door,
    _extras,
)
