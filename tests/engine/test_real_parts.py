"""Real ears, voice and wits behind the protocol, spoken to by another synthesiser."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import tempfile
import wave
from typing import Any

import numpy as np
import pytest
import soxr

from rtbridge.engine.load import load_parts
from rtbridge.engine.memory import MemoryClient, connect_in_memory
from scripted_engine import check_strictly, silence

SERVER_VAD = {"type": "server_vad", "silence_duration_ms": 200}
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


async def until(client: MemoryClient, type_: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        async for event in client:
            check_strictly(event)
            found.append(event)
            if event["type"] == type_:
                return found
    raise AssertionError(f"no {type_}")


def by_another_voice(text: str) -> bytes:
    """Return `text` spoken by flite, so that the ears are not tested against the engine's own voice."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", file.name], check=True)
        with wave.open(file.name) as wav:
            samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
            return bytes(soxr.resample(samples, wav.getframerate(), 24_000).astype("<i2").tobytes())


@pytest.mark.models
async def test_a_stranger_is_served_with_real_ears_voice_and_wits() -> None:
    parts = await asyncio.to_thread(load_parts)
    spoken = await asyncio.to_thread(by_another_voice, "What is the weather in Paris?")
    async with connect_in_memory(parts) as client:
        session: Any = {
            "type": "realtime",
            "tools": [WEATHER],
            "audio": {
                "input": {
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 200},
                    "transcription": {"model": "whisper-1"},
                }
            },
        }
        await client.send({"type": "session.update", "session": session})
        audio = base64.b64encode(silence(500) + spoken + silence(600)).decode()
        await client.send({"type": "input_audio_buffer.append", "audio": audio})
        found = await until(client, "response.done")
        started, stopped = (
            next(e for e in found if e["type"] == f"input_audio_buffer.speech_{edge}")
            for edge in ("started", "stopped")
        )
        assert 0 <= started["audio_start_ms"] < 600
        assert 0 < stopped["audio_end_ms"] - 500 - len(spoken) // 48 < 300
        (heard,) = (e["transcript"] for e in found if e["type"].endswith("transcription.completed"))
        assert "weather in paris" in heard.lower()
        (call,) = found[-1]["response"]["output"]
        assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Paris"})
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"sky": "sunny"}'}
        await client.send({"type": "conversation.item.create", "item": output})
        await client.send({"type": "response.create"})
        found = await until(client, "response.done")
        said = "".join(e["delta"] for e in found if e["type"] == "response.output_audio_transcript.delta")
        assert "sunny" in said
        deltas = [base64.b64decode(e["delta"]) for e in found if e["type"] == "response.output_audio.delta"]
        back = await asyncio.to_thread(parts.ears.transcribe, b"".join(deltas))
        assert "sunny" in back.lower()
