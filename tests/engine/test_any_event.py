"""Whatever a client sends, the conversation answers with valid events and lives."""

from __future__ import annotations

import base64
import copy
import random
from typing import Any

from hand_fed import VAD, Client
from rtbridge.engine.outbox import Respond, Study, Transcribe
from rtbridge.engine.parts import Call
from scripted_engine import silence, speech

GOOD: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "realtime", "instructions": "x", **VAD}},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}}},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": {"id": "v"}}}}},
    {"type": "session.update", "session": {"type": "realtime", "prompt": {"id": "a/b"}, "tracing": "auto"}},
    {"type": "session.update", "session": {"type": "realtime", "tools": [{"type": "function", "name": "f"}]}},
    {"type": "input_audio_buffer.append", "audio": base64.b64encode(speech("hello there", 300)).decode()},
    {"type": "input_audio_buffer.append", "audio": base64.b64encode(silence(600)).decode()},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear", "event_id": "e"},
    {
        "type": "conversation.item.create",
        "previous_item_id": "root",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"},
    },
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": "o"},
    },
    {"type": "conversation.item.retrieve", "item_id": "item_1"},
    {"type": "conversation.item.delete", "item_id": "item_2"},
    {"type": "conversation.item.truncate", "item_id": "item_3", "content_index": 0, "audio_end_ms": 50},
    {"type": "response.create"},
    {"type": "response.create", "response": {"conversation": "none", "input": [], "metadata": {"a": "b"}}},
    {"type": "response.create", "response": {"max_output_tokens": 5, "tool_choice": "required"}},
    {"type": "response.create", "response": {"output_modalities": ["text"], "instructions": "i"}},
    {"type": "response.cancel", "response_id": "resp_1"},
    {"type": "response.cancel"},
]
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    float("nan"),
    "",
    "item_1",
    "x" * 600,
    [],
    [1],
    {},
    {"type": "message"},
]


def _mutated(event: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Change, add or take out one member somewhere in `event`."""
    event = copy.deepcopy(event)
    place: Any = event
    while True:
        children = place.values() if isinstance(place, dict) else place
        deeper = [child for child in children if child and isinstance(child, dict | list)]
        if not deeper or rng.random() < 0.3:
            break
        place = rng.choice(deeper)
    if isinstance(place, list):
        place[rng.randrange(len(place))] = rng.choice(ODD)
    elif rng.random() < 0.2 and place:
        del place[rng.choice(sorted(place))]
    else:
        place[rng.choice([*sorted(place), "surplus"])] = rng.choice(ODD)
    return event


def _work(client: Client, rng: random.Random) -> None:
    """Do one of the jobs, in some way."""
    if not client.jobs:
        return
    job = client.jobs.pop(rng.randrange(len(client.jobs)))
    if isinstance(job, Transcribe):
        client.conversation.hearing.transcribed(job.item_id, rng.choice(["", "hello there"]))
        return
    if isinstance(job, Study):
        return  # answered by nothing
    assert isinstance(job, Respond)
    responses = client.conversation.responses
    end = rng.choice(["finished", "failed", "left open"])
    if rng.random() < 0.3:
        responses.called(job.response_id, Call("f", "{}"))
    else:
        responses.begin_message(job.response_id)
        for word in ("one ", "two "):
            if job.modality == "audio":
                responses.spoken(job.response_id, word, speech("hello there", 100))
            else:
                responses.written(job.response_id, word)
        if end == "finished":
            responses.end_message(job.response_id)
    if end == "finished":
        responses.finished(job.response_id)
    elif end == "failed":
        responses.failed(job.response_id, "why")


def _play(seed: int, events: int) -> Client:
    """Send `events` events and return the client, whose every answer has been checked strictly."""
    rng = random.Random(seed)
    client = Client(audio={"input": {"transcription": {"model": "whisper-1"}}})
    for _ in range(events):
        event = dict(rng.choice(GOOD))
        if "item_id" in event and client.items() and rng.random() < 0.8:
            event["item_id"] = rng.choice(client.items())
        client.conversation.receive(_mutated(event, rng) if rng.random() < 0.3 else event)
        client.take()
        if rng.random() < 0.6:
            _work(client, rng)
            client.take()
    return client


def test_3000_events_in_any_order_and_shape_are_obeyed_or_refused() -> None:
    client = _play(seed=7, events=3_000)
    kinds = {event["type"] for event in client.all}
    codes = {event["error"]["code"] for event in client.all if event["type"] == "error"}
    assert len(kinds) >= 29, sorted(kinds)
    assert len(codes) >= 12, sorted(codes)
