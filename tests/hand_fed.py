"""A client that feeds a Conversation by hand and checks strictly every event that comes out."""

from __future__ import annotations

import base64
import re
from typing import Any

from rtbridge.engine.conversation import Conversation
from rtbridge.engine.outbox import Job, Respond, Transcribe
from scripted_engine import LevelVad, check_strictly, numbered_ids, speech

Event = dict[str, Any]


class Client:
    """Sends events to a conversation and keeps what comes out."""

    def __init__(self, **session: Any) -> None:
        self.conversation = Conversation(new_id=numbered_ids(), make_vad=LevelVad, model="m")
        self.jobs: list[Job] = []
        self.all: list[Event] = []
        self.event_ids: set[str] = set()
        self.take()
        if session:
            assert self.types(self.update(**session)) == ["session.updated"]

    def take(self) -> list[Event]:
        emitted, jobs = self.conversation.drain()
        for event in emitted:
            check_strictly(event)
            assert event["event_id"] not in self.event_ids
            self.event_ids.add(event["event_id"])
        self.all += emitted
        self.jobs += jobs
        return emitted

    def send(self, type_: str, **fields: Any) -> list[Event]:
        self.conversation.receive({"type": type_, **fields})
        return self.take()

    def update(self, **session: Any) -> list[Event]:
        return self.send("session.update", session={"type": "realtime", **session})

    def append(self, pcm: bytes) -> list[Event]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    def item(self, text: str = "hi", **fields: Any) -> list[Event]:
        given = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        item_id = {"id": fields.pop("id")} if "id" in fields else {}
        return self.send("conversation.item.create", item={**given, **item_id}, **fields)

    def hear_all(self, text: str = "hello") -> list[Event]:
        for job in [job for job in self.jobs if isinstance(job, Transcribe)]:
            self.jobs.remove(job)
            self.conversation.hearing.transcribed(job.item_id, text)
        return self.take()

    def respond(self) -> Respond:
        job = next(job for job in self.jobs if isinstance(job, Respond))
        self.jobs.remove(job)
        return job

    def say(self, text: str = "one two three four", *, finish: bool = True, ms_a_word: int = 100) -> str:
        """Create a response that says `text`; return its item's id."""
        self.send("response.create")
        response_id = self.respond().response_id
        responses = self.conversation.responses
        responses.begin_message(response_id)
        for word in re.findall(r"\S+\s*", text):
            responses.spoken(response_id, word, speech("hello there", ms_a_word))
        if finish:
            responses.end_message(response_id)
            responses.finished(response_id)
        added = [e for e in self.take() if e["type"] == "response.output_item.added"]
        return str(added[0]["item"]["id"])

    def items(self) -> list[str]:
        return [item.id for item in self.conversation.context()]

    @staticmethod
    def types(found: list[Event]) -> list[str]:
        return [event["type"] for event in found]


def error_of(found: list[Event]) -> Event:
    assert Client.types(found) == ["error"], found
    detail: Event = found[0]["error"]
    return detail


VAD = {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 200}}}}
PUSH_TO_TALK = {"audio": {"input": {"turn_detection": None}}}
