"""One caller of `rtbridge bench engine`: a client of the Realtime WebSocket that speaks in real time and times answers.

It sends 24 kHz audio in 40 ms appends without a break, says one utterance, waits for the answer, is silent for four
seconds, and says the next. Tool calls are answered at once, so that every turn ends in speech.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from rtbridge.core import pcm
from rtbridge.replay.hearing import audible_span

CHUNK_MS: Final = 40
CHUNK: Final = pcm.samples_of_ms(CHUNK_MS) * pcm.SAMPLE_BYTES
PAUSE_S: Final = 4.0  # between the beginning of an answer and the next utterance
MISSED_S: Final = 8.0  # without a sound after the end of speech, a turn is missed

TOOLS: Final = [
    {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": {}, "required": []},
    }
    for name, description in (
        ("openingHours", "Tell when the shop is open."),
        ("lookupOrders", "Look up where the caller's order is."),
        ("startReturn", "Begin the return of something that was bought."),
        ("cancelOrder", "Cancel an order."),
    )
]


@dataclass(slots=True)
class Figures:
    """What one caller saw, in seconds."""

    first_audio_s: list[float] = field(default_factory=list)  # from the last audible sample of the utterance
    stt_s: list[float] = field(default_factory=list)  # from the commit to the transcript
    missed: int = 0
    errors: list[str] = field(default_factory=list)


class EngineCaller:
    """Talks to the engine at `url` until it is told to stop."""

    def __init__(
        self, url: str, utterances: Sequence[bytes], *, silence_ms: int, begin_after_s: float
    ) -> None:
        self._url = url
        self._utterances = utterances  # 24 kHz mono s16le each
        self._silence_ms = silence_ms
        self._begin_after_s = begin_after_s
        self._ended_s: float | None = None  # when the utterance that waits for its answer ended
        self._committed_s: dict[str, float] = {}
        self.figures = Figures()

    async def run(self, http: aiohttp.ClientSession, until_s: float) -> None:
        """Talk; the last turn that was begun before `until_s` of loop time is still answered."""
        async with http.ws_connect(self._url, max_msg_size=16 * 1024 * 1024) as socket:
            await socket.send_json({"type": "session.update", "session": self._session()})
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(self._hear(socket))
                await self._speak(socket, until_s)
                hearing.cancel()

    def _session(self) -> dict[str, Any]:
        detection = {"type": "server_vad", "silence_duration_ms": self._silence_ms}
        listening = {"turn_detection": detection, "transcription": {"model": "gpt-4o-mini-transcribe"}}
        instructions = "You help customers of a shop, briefly."
        return {
            "type": "realtime",
            "instructions": instructions,
            "tools": TOOLS,
            "audio": {"input": listening},
        }

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse[bool], until_s: float) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        next_s = begin_s + self._begin_after_s  # of the next utterance
        sounding, said, chunks = b"", 0, 0
        while True:
            now_s = begin_s + chunks * CHUNK_MS / 1000  # of the audio: a late chunk was still due now
            if not sounding and self._ended_s is None and now_s >= next_s:
                if now_s >= until_s:
                    return
                sounding = self._utterances[said % len(self._utterances)]
                speech_s = audible_span(sounding).end / pcm.RATE
                self._ended_s, said, next_s = now_s + speech_s, said + 1, float("inf")
            if self._ended_s is not None and now_s > self._ended_s + MISSED_S:
                self.figures.missed += 1
                self._ended_s = None
            if self._ended_s is None and next_s == float("inf"):
                next_s = now_s + PAUSE_S
            chunk, sounding = sounding[:CHUNK].ljust(CHUNK, b"\0"), sounding[CHUNK:]
            audio = base64.b64encode(chunk).decode()
            chunks += 1
            await asyncio.sleep(begin_s + chunks * CHUNK_MS / 1000 - loop.time())
            await socket.send_json({"type": "input_audio_buffer.append", "audio": audio})

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        loop = asyncio.get_running_loop()
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            now_s = loop.time()
            match event["type"]:
                case "input_audio_buffer.committed":
                    self._committed_s[event["item_id"]] = now_s
                case "conversation.item.input_audio_transcription.completed":
                    self.figures.stt_s.append(now_s - self._committed_s.pop(event["item_id"], now_s))
                case "response.output_audio.delta":
                    if self._ended_s is not None and now_s > self._ended_s:
                        self.figures.first_audio_s.append(now_s - self._ended_s)
                        self._ended_s = None
                case "response.function_call_arguments.done":
                    output = {"type": "function_call_output", "call_id": event["call_id"], "output": "{}"}
                    await socket.send_json({"type": "conversation.item.create", "item": output})
                case "response.done":
                    kinds = [item["type"] for item in event["response"]["output"]]
                    if "function_call" in kinds and "message" not in kinds:
                        await socket.send_json({"type": "response.create"})
                case "error":
                    self.figures.errors.append(str(event["error"]["message"]))
