"""One story over the wire: real ICE, DTLS, SRTP and Opus against a running bridge, in real time.

The same script as on the virtual road, driven by the microphone's own 20 ms. What is heard comes in as another stack
decoded it, in its own time: it is laid onto the call's time line by when it came, and gaps are silence.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from rtbridge.core import pcm
from rtbridge.errors import Closed, ReplayError
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.script import Script
from rtbridge.replay.story import Story
from rtbridge.rtc.client import WireCaller
from rtbridge.rtc.formats import CODECS
from rtbridge.rtc.impair import Impairment

CALLS_PATH: Final = "/v1/realtime/calls"
HTTP_TIMEOUT_S: Final = 10.0
LAST_WORDS_S: Final = 2.0
PREFIX: Final = "rtbridge."
MAX_BACKLOG: Final = pcm.samples_of_ms(2_000)  # of heard audio that has come but not been listened to


class Ears:
    """What came and was not yet listened to: exactly 20 ms a time go on, silence where nothing has come."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def hear(self, chunk: bytes) -> None:
        """Take what was received; the oldest of more than 2 s is lost."""
        self._waiting += chunk
        excess = len(self._waiting) - MAX_BACKLOG * pcm.SAMPLE_BYTES
        if excess > 0:
            del self._waiting[:excess]

    def frame(self) -> bytes:
        """Return the next 20 ms."""
        frame = bytes(self._waiting[: pcm.FRAME_BYTES])
        del self._waiting[: pcm.FRAME_BYTES]
        return frame.ljust(pcm.FRAME_BYTES, b"\0")


class _WireCall:
    """The script between microphone and ears of one call."""

    def __init__(self, story: Story) -> None:
        self.script = Script(story)
        self.over = asyncio.Event()
        self._ears = Ears()
        self._up = False
        self.wire = WireCaller(
            speak=self._speak,
            listen=self._listen,
            message=self.script.message,
            impairment=story.media.net,
            codec=CODECS[story.media.codec or "opus"],
        )

    def up(self) -> None:
        """The call is up: its time line begins with the next frame, and so does the bad network."""
        self._up = True
        self.wire.impair()

    def run(self) -> WireRun:
        """Return how the wire was."""
        wire = self.wire
        return WireRun(
            codec="" if wire.codec is None else wire.codec.name,
            uplink=None if wire.uplink is None else wire.uplink.network,
            downlink=None if wire.downlink is None else wire.downlink.network,
        )

    def _listen(self, chunk: bytes) -> None:
        if self._up:
            self._ears.hear(chunk)

    def _speak(self, samples: int) -> bytes:
        """Give the microphone its next 20 ms, having listened to the last."""
        if not self._up or self.script.is_over:
            return pcm.silence(samples)
        said = self.script.tick(self._ears.frame())
        for text in self.script.outbox:
            with contextlib.suppress(Closed):
                self.wire.send(text)
        self.script.outbox.clear()
        for key in self.script.pressed:
            self.wire.press(key)
        self.script.pressed.clear()
        if self.script.is_over:
            self.over.set()
        return said


@dataclass(frozen=True, slots=True)
class WireRun:
    """How a call went on the wire, for whoever wants to know more than the story: codec, and what the network did."""

    codec: str
    uplink: Impairment | None
    downlink: Impairment | None


async def play_on_wire(
    story: Story, *, url: str, api_key: str = "", keep: Callable[[WireRun], object] = lambda run: None
) -> RunResult:
    """Play one story in real time against the bridge at `url` ("http://127.0.0.1:8080"). `keep` is told of the wire.

    Raises ReplayError when there is no bridge, it refuses the call, or media does not come up in 15 s.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    timeout = aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)
    call = _WireCall(story)
    try:
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as http:
            location = await _dial(call, http, url)
            try:
                await call.wire.opened()
                call.up()
                await _carried(call)
            finally:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await http.delete(location)
                    async with asyncio.timeout(LAST_WORDS_S):  # media.counted and call.closed
                        await call.wire.ended()
    except (aiohttp.ClientError, TimeoutError, Closed) as error:
        raise ReplayError(f"{url}: the call could not be carried out: {_why(error)}") from error
    finally:
        await call.wire.close()
    keep(call.run())
    return _result(call.script)


async def _dial(call: _WireCall, http: aiohttp.ClientSession, url: str) -> str:
    """Offer and accept; return the URL of the call."""
    story = call.script.story
    query = {"scenario": story.scenario} | ({"agent": story.agent} if story.agent else {})
    target = url.rstrip("/") + CALLS_PATH
    offer = await call.wire.offer()
    headers = {"Content-Type": "application/sdp"}
    async with http.post(target, params=query, data=offer, headers=headers) as response:
        body = await response.text()
        if response.status != 201:
            raise ReplayError(f"{target}: the bridge refused the call: {response.status} {body[:300]}")
        await call.wire.accept(body)
        if (wanted := story.media.codec) not in (None, call.wire.codec and call.wire.codec.name):
            raise ReplayError(f"{target}: the bridge does not take {wanted}, but {call.wire.codec}")
        if any(turn.press is not None for turn in story.turns) and not call.wire.takes_keys:
            raise ReplayError(f"{target}: the bridge takes no telephone-events: a story cannot press keys")
        return url.rstrip("/") + response.headers["Location"]


async def _carried(call: _WireCall) -> None:
    """Wait until the story or the call is over."""

    async def ended_by_bridge() -> None:
        await call.wire.ended()
        call.script.ended_by_peer("the bridge closed the leg")
        call.over.set()

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(ended_by_bridge())
        await call.over.wait()
        watching.cancel()


def _result(script: Script) -> RunResult:
    journal = tuple(
        Logged(message.at_ms, str(message.event["type"]).removeprefix(PREFIX), _fields(message.event))
        for message in script.messages
        if str(message.event.get("type")).startswith(PREFIX)
    )
    return RunResult(
        story=script.story,
        road="wire",
        said=bytes(script.said),
        heard=bytes(script.heard),
        played=tuple(script.played),
        messages=tuple(script.messages),
        journal=journal,
        reason=script.reason or "closed",
        stuck=script.stuck,
    )


def _fields(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("type", "event_id", "at_ms")}


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
