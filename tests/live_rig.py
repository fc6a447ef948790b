"""The whole bridge in one process on 127.0.0.1, in real time: HTTP, switchboard, WebRTC; only the engine is in memory.

What a test attacks is what `rtbridge serve` runs. The rig counts what the bridge holds (tasks, sockets, threads,
peers), clocks the CPU of each request, and keeps every event that went to an upstream.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web

from rtbridge.core import journal
from rtbridge.core.pcm import RATE
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import Act, Say, Spoken, Turn
from rtbridge.rtc.client import WireCaller
from rtbridge.rtc.config import PeerConfig
from rtbridge.rtc.peer import Peer
from rtbridge.server.app import Bridge
from rtbridge.server.page import Page
from rtbridge.server.run import listening
from rtbridge.settings import Settings
from rtbridge.switchboard import Switchboard
from rtbridge.upstream.port import Capabilities
from rtbridge.upstream.text import TextModels
from scripted_engine import WORD_SAMPLES, LevelEars, last_text, scripted
from session_rig import AGENTS, scenario_in

SDP = {"Content-Type": "application/sdp"}
CALLS = "/v1/realtime/calls"
PATIENCE_S = 30.0  # how long a test waits for what must come, on a busy machine too; never how long it takes
TALK = "talk on and on"  # typed, it makes the agent speak for 24 s
POOL = 4  # threads for blocking work, all there from the first


Attack = Callable[[int], Coroutine[Any, Any, None]]  # on a UDP port


def answer(turn: Turn) -> Iterable[Act]:
    """Greet in a word, say typed text again, and on request speak for long."""
    text = last_text(turn)
    return [Say("la " * 100 if text == TALK else text or "hello")]


class SineVoice:
    """Speaks a tone of 240 ms a word. A codec for speech takes constant samples away; a sine it keeps."""

    def speak(self, text: str, *, voice: str, speed: float) -> Iterator[Spoken]:
        words = [word + " " for word in text.split()]
        yield Spoken(
            sine(WORD_SAMPLES * len(words), level=7_000),
            tuple((word, index * WORD_SAMPLES) for index, word in enumerate(words)),
        )


def sine(samples: int, *, level: int) -> bytes:
    """Return whole periods of 400 Hz, so that one piece goes on where the last one ended."""
    wave = level * np.sin(np.arange(samples) * (2 * np.pi * 400 / RATE))
    return bytes(wave.astype("<i2"))


class SeenUpstream(MemoryUpstream[Capabilities]):
    """An engine in memory that keeps what it was sent, audio left out."""

    def __init__(self) -> None:
        self.ears = LevelEars()
        parts = scripted(answer, voice=SineVoice(), ears=self.ears)
        super().__init__(parts, capabilities=Capabilities(is_engine=True, word_times=True))
        self.seen: list[dict[str, Any]] = []

    def send(self, event: Mapping[str, Any]) -> None:
        self.seen.append(dict(event))
        super().send(event)


@dataclass(frozen=True)
class Held:
    """What a process holds. Equal to what it held before, or something leaked."""

    tasks: int
    fds: int
    threads: int
    peers: int
    calls: int


@dataclass
class LiveCall:
    """One call over the wire, from the caller's side and from within."""

    caller: WireCaller
    call_id: str
    peer: Peer
    upstream: SeenUpstream
    told: list[dict[str, Any]] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    setup_s: float = 0.0

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.told if event["type"] == kind]

    def errors(self) -> list[dict[str, Any]]:
        return [event["error"] for event in self.events("error")]

    def say(self, event: Mapping[str, Any]) -> None:
        self.caller.send(json.dumps(event))

    def type(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.say(
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "user", "content": content},
            }
        )
        self.say({"type": "response.create"})

    async def converses(self, word: str) -> None:
        """Type a word and be answered with it, by event and by voice, to the end."""
        stopped, sounded = len(self.events("output_audio_buffer.stopped")), loud_ms(self.heard)
        self.type(word)

        def answered() -> bool:
            said = [event["transcript"] for event in self.events("response.output_audio_transcript.done")]
            return word in " ".join(said) and len(self.events("output_audio_buffer.stopped")) > stopped

        await until(answered, f"the agent to say {word!r}")
        await until(lambda: loud_ms(self.heard) >= sounded + 150, f"{word!r} to be heard")


def loud_ms(pcm: bytes | bytearray) -> float:
    """Return for how long there is sound."""
    return float((np.abs(np.frombuffer(bytes(pcm), "<i2").astype(np.int32)) > 500).sum()) * 1000 / RATE


async def until(condition: Callable[[], bool], what: str, *, timeout_s: float = PATIENCE_S) -> None:
    """Wait until `condition()`; fail saying `what` was waited for."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, f"waited {timeout_s:g} s for {what}"
        await asyncio.sleep(0.005)


def silence(samples: int) -> bytes:
    return bytes(2 * samples)


class LiveBridge:
    """A bridge that listens; its HTTP client opens a connection for each request, so that none is left over."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.agents = AGENTS
        self.text_model: TextModels | None = None
        self.port = 0
        self.journal: list[tuple[str, int, journal.Entry]] = []
        self.upstreams: list[SeenUpstream] = []
        self.peers: weakref.WeakSet[Peer] = weakref.WeakSet()
        self.cpu_s: list[float] = []  # of each request, in order

    def make_leg(self) -> Peer:
        peer = Peer(PeerConfig.of(self.settings))
        self.peers.add(peer)
        return peer

    def dial(self) -> SeenUpstream:
        self.upstreams.append(SeenUpstream())
        return self.upstreams[-1]

    @web.middleware
    async def _clock(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        begin_s = time.process_time()
        try:
            return await handler(request)
        finally:
            self.cpu_s.append(time.process_time() - begin_s)

    @asynccontextmanager
    async def up(self) -> AsyncIterator[LiveBridge]:
        board = Switchboard(
            settings=self.settings,
            scenarios={"desks": scenario_in(self.folder, self.agents)},
            dial=self.dial,
            record=lambda *entry: self.journal.append(entry),
            text_model=self.text_model,
        )
        async with board as self.board:
            self.bridge = Bridge(
                self.settings,
                board=self.board,
                make_leg=self.make_leg,
                page=Page(self.folder),
                demo=True,
                now_s=asyncio.get_running_loop().time,
            )
            self.bridge.web.middlewares.insert(0, self._clock)
            connector = aiohttp.TCPConnector(force_close=True)
            async with (
                listening(self.bridge.web, "127.0.0.1", 0) as self.port,
                aiohttp.ClientSession(connector=connector) as self.client,
            ):
                yield self

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, Mapping[str, str], Any]:
        """Return status, headers and body: parsed when it is JSON, else text."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.client.request(method, url, headers=headers, **more) as got:
            body = await (got.json() if got.content_type == "application/json" else got.text())
            return got.status, got.headers, body

    async def post(
        self, offer: str | bytes, *, query: str = "", headers: Mapping[str, str] | None = None
    ) -> Any:
        return await self.ask("POST", CALLS + query, data=offer, headers={**SDP, **(headers or {})})

    @asynccontextmanager
    async def call(
        self,
        *,
        rewrite_offer: Callable[[str], str] = str,
        speak: Callable[[int], bytes] = silence,
        before_accept: Attack | None = None,
        while_connecting: Attack | None = None,
        quietly: bool = True,
    ) -> AsyncIterator[LiveCall]:
        """Place a call and hang up at the end. The attackers get the media port; the second one is cancelled.

        With `quietly` it is given when the greeting has been heard and nothing goes on any more.
        """
        told: list[dict[str, Any]] = []
        heard = bytearray()
        caller = WireCaller(
            speak=speak, listen=heard.extend, message=lambda text: told.append(json.loads(text))
        )
        call_id = ""
        try:
            offer = rewrite_offer(await caller.offer())
            status, headers, sdp = await self.post(offer)
            assert status == 201, sdp
            call_id = headers["Location"].rsplit("/", 1)[1]
            peer = self.board.leg(call_id)
            assert isinstance(peer, Peer)
            port = int(sdp.split("m=audio ")[1].split(" ")[0])
            if before_accept is not None:
                await before_accept(port)
            begin_s = time.monotonic()
            async with asyncio.TaskGroup() as group:
                attack = group.create_task(while_connecting(port)) if while_connecting is not None else None
                await caller.accept(sdp)
                await caller.opened()
                if attack is not None:
                    attack.cancel()
            call = LiveCall(
                caller, call_id, peer, self.upstreams[-1], told, heard, time.monotonic() - begin_s
            )
            await until(lambda: bool(call.events("session.created")), "session.created")
            if quietly:
                await until(lambda: bool(call.events("output_audio_buffer.stopped")), "the greeting's end")
            yield call
        finally:
            await caller.close()
            if call_id:
                self.board.hangup(call_id, "the test is over")
                await until(lambda: self.board.leg(call_id) is None, "the call's end")

    def closed(self, call_id: str) -> journal.CallClosed | None:
        """Return the last entry of a call that has ended."""
        return next(
            (e for who, _, e in self.journal if who == call_id and isinstance(e, journal.CallClosed)), None
        )

    def holds(self) -> Held:
        self.upstreams.clear()
        gc.collect()
        return Held(
            tasks=len(asyncio.all_tasks()),
            fds=len(os.listdir("/proc/self/fd")),
            threads=threading.active_count(),
            peers=len(self.peers),
            calls=self.board.live,
        )

    async def warm(self, offer: str) -> Held:
        """Open and end a call, so that what a process keeps for ever is there; return what is held then."""
        status, headers, body = await self.post(offer)
        assert status == 201, body
        await self.ask("DELETE", headers["Location"])
        return await self.settled()

    async def settled(self, wanted: Held | None = None, *, timeout_s: float = 5.0) -> Held:
        """Return what is held once it is `wanted`, or, without it, once no call is live and nothing changes.

        What it is after `timeout_s` otherwise: the test compares, and its message tells the difference.
        """
        end_s = time.monotonic() + timeout_s
        before = self.holds()
        while time.monotonic() < end_s:
            await asyncio.sleep(0.05)
            now = self.holds()
            if now == wanted or (wanted is None and now == before and not now.calls):
                return now
            before = now
        return before


@asynccontextmanager
async def live(folder: Path, **given: Any) -> AsyncIterator[LiveBridge]:
    """Run a bridge with these settings, and a scenario of two desks."""
    await _fill_the_pool()
    async with LiveBridge(Settings(**given), folder).up() as bridge:
        yield bridge


async def _fill_the_pool() -> None:
    """Start every thread that the loop's pool may ever have, so that one of them is never taken for a leak."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(POOL, thread_name_prefix="asyncio"))
    everyone = threading.Barrier(POOL)
    await asyncio.gather(*(loop.run_in_executor(None, everyone.wait) for _ in range(POOL)))


def percentile(values: Iterable[float], per_cent: float) -> float:
    """Return the value that `per_cent` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(per_cent) // 100) - 1)]
