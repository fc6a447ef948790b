"""The conversation, fed by hand: every event it emits is checked strictly against the API's own types."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from rtbridge.engine import events
from rtbridge.engine.conversation import Conversation
from rtbridge.engine.items import KEPT_AUDIO_SAMPLES, MAX_ITEMS
from rtbridge.engine.outbox import Job, Respond, Transcribe
from rtbridge.engine.parts import Call
from rtbridge.errors import BadRequest
from scripted_engine import LevelVad, check_strictly, numbered_ids, silence, speech

Event = dict[str, Any]


class Client:
    """Sends events to a conversation and keeps what comes out."""

    def __init__(self, **session: Any) -> None:
        self.conversation = Conversation(new_id=numbered_ids(), make_vad=LevelVad, model="m")
        self.jobs: list[Job] = []
        self.all: list[Event] = []
        self.take()
        if session:
            assert self.types(self.update(**session)) == ["session.updated"]

    def take(self) -> list[Event]:
        emitted, jobs = self.conversation.drain()
        for event in emitted:
            check_strictly(event)
        ids = [event["event_id"] for event in (*self.all, *emitted)]
        assert len(ids) == len(set(ids))
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


# -- the session ----------------------------------------------------------------------------------------------
def test_a_connection_begins_with_the_whole_session() -> None:
    client = Client()
    assert client.types(client.all) == ["session.created"]
    session = client.all[0]["session"]
    assert session["audio"]["input"]["turn_detection"]["create_response"] is True
    assert session["audio"]["input"]["turn_detection"]["interrupt_response"] is True
    assert session["output_modalities"] == ["audio"]


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    client = Client(instructions="be kind", audio={"output": {"voice": "ash", "speed": 1.25}})
    (updated,) = client.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.7}}})
    session = updated["session"]
    assert session["instructions"] == "be kind"
    assert session["audio"]["output"]["voice"] == "ash"
    assert session["audio"]["output"]["speed"] == 1.25
    assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.7
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 500


def test_turn_detection_of_another_type_starts_from_its_own_defaults() -> None:
    client = Client(audio={"input": {"turn_detection": {"type": "semantic_vad", "create_response": False}}})
    (updated,) = client.update(
        audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}
    )
    assert updated["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "low",
        "create_response": False,
        "interrupt_response": True,
    }
    (updated,) = client.update(audio={"input": {"turn_detection": {"type": "server_vad"}}})
    assert updated["session"]["audio"]["input"]["turn_detection"]["create_response"] is True


def test_the_voice_is_fixed_by_the_first_audio_and_the_refused_update_changes_nothing() -> None:
    client = Client()
    assert client.types(client.update(audio={"output": {"voice": "ash"}})) == ["session.updated"]
    client.say()
    refused = client.update(instructions="new", audio={"output": {"voice": "cedar"}})
    assert error_of(refused)["code"] == "cannot_update_voice"
    assert error_of(refused)["param"] == "session.audio.output.voice"
    (updated,) = client.update(audio={"output": {"voice": "ash"}})
    assert updated["session"]["instructions"] == ""
    refused = client.send("response.create", response={"audio": {"output": {"voice": "cedar"}}})
    assert error_of(refused)["code"] == "cannot_update_voice"


BAD_EVENTS: list[tuple[Event, str, str | None]] = [
    ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
    ({"type": "session.update"}, "missing_required_parameter", "session"),
    ({"type": "session.update", "session": {"type": "transcription"}}, "invalid_value", "session.type"),
    (
        {"type": "session.update", "session": {"type": "realtime", "vioce": 1}},
        "unknown_parameter",
        "session.vioce",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "modalities": []}},
        "unknown_parameter",
        "session.modalities",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "instructions": 5}},
        "invalid_type",
        "session.instructions",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": 9}}}},
        "decimal_above_max_value",
        "session.audio.output.speed",
    ),
    (
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}},
        },
        "invalid_value",
        "session.audio.input.format.type",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text", "audio"]}},
        "array_above_max_length",
        "session.output_modalities",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "max_output_tokens": True}},
        "invalid_type",
        "session.max_output_tokens",
    ),
    (
        {"type": "session.update", "session": {"type": "realtime", "max_output_tokens": 0}},
        "integer_below_min_value",
        "session.max_output_tokens",
    ),
    (
        {
            "type": "session.update",
            "session": {"type": "realtime", "tools": [{"type": "mcp", "server_label": "x"}]},
        },
        "invalid_value",
        "session.tools[0].type",
    ),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "not base64!"}, "invalid_value", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "invalid_value", "audio"),
    ({"type": "response.explode"}, "invalid_value", "type"),
    ({"type": 7}, "invalid_type", "type"),
    ({}, "missing_required_parameter", "type"),
    ({"type": "output_audio_buffer.clear"}, "invalid_value", "type"),
    (
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user"}},
        "missing_required_parameter",
        "item.content",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "role": "assistant", "content": [{"type": "output_audio"}]},
        },
        "invalid_value",
        "item.content[0].type",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "id": "x" * 33, "role": "user", "content": []},
        },
        "string_above_max_length",
        "item.id",
    ),
    (
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_9", "output": "{}"},
        },
        "invalid_tool_call_id",
        "item.call_id",
    ),
    ({"type": "conversation.item.truncate", "item_id": "x"}, "missing_required_parameter", "content_index"),
    (
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1.5},
        "invalid_type",
        "audio_end_ms",
    ),
    (
        {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1},
        "item_truncate_invalid_item_id",
        None,
    ),
    ({"type": "conversation.item.delete", "item_id": "x"}, "item_delete_invalid_item_id", None),
    ({"type": "conversation.item.retrieve", "item_id": "x"}, "item_retrieve_invalid_item_id", None),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    ({"type": "response.cancel"}, "response_cancel_not_active", None),
    ({"type": "response.cancel", "response_id": "resp_9"}, "response_cancel_not_active", None),
    (
        {"type": "response.create", "response": {"modalities": ["audio"]}},
        "unknown_parameter",
        "response.modalities",
    ),
    (
        {"type": "response.create", "response": {"conversation": "other"}},
        "invalid_value",
        "response.conversation",
    ),
    ({"type": "response.create", "response": {"metadata": {"k": 1}}}, "invalid_type", "response.metadata.k"),
    (
        {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "nope"}]}},
        "invalid_value",
        "response.input[0].id",
    ),
]


@pytest.mark.parametrize(("event", "code", "param"), BAD_EVENTS)
def test_a_bad_event_is_refused_with_the_real_code_and_the_clients_event_id(
    event: Event, code: str, param: str | None
) -> None:
    client = Client()
    client.conversation.receive({**event, "event_id": "mine_1"})
    detail = error_of(client.take())
    assert (detail["code"], detail["param"]) == (code, param)
    assert detail["event_id"] == "mine_1"
    assert detail["type"] == "invalid_request_error"
    assert client.jobs == []
    assert client.items() == []


@pytest.mark.parametrize("frame", ["", "{", "nul", '"text"', "[1]", "[" * 100_000])
def test_a_frame_that_is_no_json_object_is_named_as_such(frame: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        events.parse(frame)
    assert refusal.value.code in ("invalid_json", "invalid_type")


# -- items ----------------------------------------------------------------------------------------------------
def test_items_go_to_the_end_to_the_root_or_after_another() -> None:
    client = Client()
    added, done = client.item(id="a")
    assert client.types([added, done]) == ["conversation.item.added", "conversation.item.done"]
    assert added["previous_item_id"] is None
    assert client.item(id="c")[0]["previous_item_id"] == "a"
    assert client.item(id="b", previous_item_id="a")[0]["previous_item_id"] == "a"
    assert client.item(id="first", previous_item_id="root")[0]["previous_item_id"] is None
    assert client.items() == ["first", "a", "b", "c"]


def test_a_duplicate_id_and_an_unknown_predecessor_are_refused() -> None:
    client = Client()
    client.item(id="a")
    assert "already exists" in error_of(client.item(id="a"))["message"]
    refused = error_of(client.item(id="b", previous_item_id="nope"))
    assert (refused["param"], "nope" in refused["message"]) == ("previous_item_id", True)
    assert client.items() == ["a"]


def test_a_deleted_item_is_gone() -> None:
    client = Client()
    client.item(id="a")
    assert client.types(client.send("conversation.item.delete", item_id="a")) == ["conversation.item.deleted"]
    assert (
        error_of(client.send("conversation.item.retrieve", item_id="a"))["code"]
        == "item_retrieve_invalid_item_id"
    )


def test_the_oldest_item_leaves_a_full_conversation_and_the_client_is_told() -> None:
    client = Client()
    for number in range(MAX_ITEMS):
        client.conversation.receive(
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "system", "id": f"i{number}", "content": []},
            }
        )
    client.conversation.drain()
    found = client.item(id="last")
    assert client.types(found)[-1] == "conversation.item.deleted"
    assert found[-1]["item_id"] == "i0"
    assert len(client.items()) == MAX_ITEMS


def test_a_retrieved_item_has_its_audio_while_that_is_kept() -> None:
    client = Client(**PUSH_TO_TALK)
    pcm = speech("hello there", 300)
    client.append(pcm)
    item_id = client.send("input_audio_buffer.commit")[0]["item_id"]
    (retrieved,) = client.send("conversation.item.retrieve", item_id=item_id)
    assert base64.b64decode(retrieved["item"]["content"][0]["audio"]) == pcm
    client.append(silence(KEPT_AUDIO_SAMPLES // 24))
    client.send("input_audio_buffer.commit")
    (retrieved,) = client.send("conversation.item.retrieve", item_id=item_id)
    assert "audio" not in retrieved["item"]["content"][0]


def test_audio_that_a_client_puts_in_as_an_item_is_heard_before_it_is_answered() -> None:
    client = Client()
    audio = base64.b64encode(speech("hello there", 300)).decode()
    content = [{"type": "input_audio", "audio": audio}]
    client.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    client.send("response.create")
    assert [type(job) for job in client.jobs] == [Transcribe]
    assert client.hear_all("hello there") == []
    assert client.respond().turn.items[0]["content"][0]["transcript"] == "hello there"


# -- speech ---------------------------------------------------------------------------------------------------
def test_a_spoken_turn_gives_the_events_of_the_api_in_their_order() -> None:
    client = Client(
        audio={
            "input": {
                "turn_detection": {
                    "type": "server_vad",
                    "silence_duration_ms": 200,
                    "prefix_padding_ms": 100,
                },
                "transcription": {"model": "whisper-1"},
            }
        }
    )
    found = client.append(silence(1_000) + speech("hello there", 600) + silence(400))
    assert client.types(found) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped, committed, added, *_ = found
    assert started["audio_start_ms"] == 900
    assert stopped["audio_end_ms"] == 1_800  # includes the silence that ended the turn
    assert {started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"]} == {
        added["item"]["id"]
    }
    (job,) = client.jobs
    assert isinstance(job, Transcribe)
    assert len(job.pcm) == 900 * 48
    found = client.hear_all("hello there")
    assert client.types(found) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert "".join(event["delta"] for event in found[:-1]) == found[-1]["transcript"] == "hello there"
    assert found[-1]["usage"] == {"type": "duration", "seconds": 0.9}
    assert client.respond().turn.items[-1]["content"][0]["transcript"] == "hello there"


def test_the_edges_are_the_same_however_the_audio_is_cut() -> None:
    pcm = silence(500) + speech("hello there", 500) + silence(700) + speech("yes please", 300) + silence(300)
    quiet = {
        "audio": {
            "input": {
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 200, "create_response": False}
            }
        }
    }
    found = []
    for size in (len(pcm), 960, 4_802):
        client = Client(**quiet)
        for start in range(0, len(pcm), size):
            client.append(pcm[start : start + size])
        found.append([(job.item_id, job.pcm) for job in client.jobs if isinstance(job, Transcribe)])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 2


def test_without_transcription_the_engine_still_hears_but_says_nothing_of_it() -> None:
    client = Client(**VAD)
    client.append(speech("hello there") + silence(300))
    assert client.hear_all("hello there") == []
    assert client.respond().turn.items[-1]["content"][0]["transcript"] == "hello there"
    (retrieved,) = client.send("conversation.item.retrieve", item_id=client.items()[0])
    assert retrieved["item"]["content"][0]["transcript"] is None


def test_ears_that_fail_are_reported_and_do_not_hold_the_answer_up() -> None:
    client = Client(
        audio={
            "input": {
                "transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 200},
            }
        }
    )
    client.append(speech("hello there") + silence(300))
    job = client.jobs.pop()
    assert isinstance(job, Transcribe)
    client.conversation.hearing.transcription_failed(job.item_id, "no model")
    (failed,) = client.take()
    assert failed["error"]["message"] == "no model"
    assert client.respond().turn.items[-1]["content"][0]["transcript"] == ""


def test_create_response_false_leaves_the_answer_to_the_client() -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 200, "create_response": False}
    client = Client(audio={"input": {"turn_detection": detection}})
    found = client.append(speech("hello there") + silence(300))
    assert client.types(found)[-1] == "conversation.item.done"
    client.hear_all()
    assert client.jobs == []


def test_speech_interrupts_the_active_response_unless_told_not_to() -> None:
    client = Client(**VAD)
    client.say(finish=False)
    found = client.append(speech("hello there", 100))
    assert client.types(found) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = found[-2]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert found[-3]["item"]["status"] == "incomplete"
    assert found[-3]["item"]["content"][0]["transcript"] == "one two three four"

    detection = {"type": "server_vad", "silence_duration_ms": 200, "interrupt_response": False}
    patient = Client(audio={"input": {"turn_detection": detection}})
    patient.say(finish=False)
    found = patient.append(speech("hello there") + silence(300))
    assert patient.types(found)[0] == "input_audio_buffer.speech_started"
    assert patient.types(found)[-1] == "error"
    assert found[-1]["error"]["code"] == "conversation_already_has_active_response"
    assert found[-1]["error"]["event_id"] is None


def test_push_to_talk_commits_by_hand_and_answers_when_asked() -> None:
    client = Client(**PUSH_TO_TALK)
    assert client.append(speech("hello there") + silence(2_000)) == []
    found = client.send("input_audio_buffer.commit")
    assert client.types(found) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert error_of(client.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


def test_less_than_100_ms_is_not_enough_to_commit_and_stays_in_the_buffer() -> None:
    client = Client(**PUSH_TO_TALK)
    client.append(silence(99))
    assert "only has 99.00ms" in error_of(client.send("input_audio_buffer.commit"))["message"]
    client.append(silence(1))
    assert client.types(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_cleared_audio_is_never_heard() -> None:
    client = Client(**VAD)
    client.append(speech("hello there"))
    assert client.types(client.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert client.append(silence(1_000)) == []
    assert client.jobs == []


def test_the_input_buffer_is_bounded_and_says_so() -> None:
    client = Client(**PUSH_TO_TALK)
    minute = base64.b64encode(silence(60_000)).decode()
    for _ in range(15):
        assert client.send("input_audio_buffer.append", audio=minute) == []
    assert error_of(client.append(silence(20)))["code"] == "input_audio_buffer_full"
    client.send("input_audio_buffer.clear")
    assert client.append(silence(20)) == []


def test_the_same_turn_detection_again_leaves_speech_in_progress_alone() -> None:
    client = Client(**VAD)
    client.append(speech("hello there", 300))
    assert client.types(client.update(instructions="other", **VAD)) == ["session.updated"]
    assert client.types(client.append(silence(300)))[0] == "input_audio_buffer.speech_stopped"


def test_other_turn_detection_in_the_middle_of_speech_ends_it_for_the_client() -> None:
    client = Client(**VAD)
    client.append(speech("hello there", 300))
    found = client.update(**PUSH_TO_TALK)
    assert client.types(found) == ["input_audio_buffer.speech_stopped", "session.updated"]
    assert client.types(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_an_idle_caller_is_noticed_by_samples_after_the_answer_has_been_played() -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": 5_000}
    client = Client(audio={"input": {"turn_detection": detection}})
    client.append(silence(1_000))
    client.say()  # 400 ms
    assert client.append(silence(5_390)) == []
    found = client.append(silence(20))
    assert client.types(found) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert (found[0]["audio_start_ms"], found[0]["audio_end_ms"]) == (1_400, 6_400)


# -- responses ------------------------------------------------------------------------------------------------
def test_an_audio_response_gives_the_events_of_the_api_in_their_order() -> None:
    client = Client()
    before = len(client.all)
    client.say("one two ")
    assert client.types(client.all[before:]) == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    found = {event["type"]: event for event in client.all}
    assert found["response.output_item.added"]["item"]["status"] == "in_progress"
    assert found["response.content_part.added"]["part"]["type"] == "audio"
    response = found["response.done"]["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "one two "}]
    usage = response["usage"]
    assert usage["output_token_details"] == {"text_tokens": 2, "audio_tokens": 4}
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_a_text_response_speaks_no_word() -> None:
    client = Client()
    client.send("response.create", response={"output_modalities": ["text"], "metadata": {"k": "v"}})
    job = client.respond()
    assert job.modality == "text"
    responses = client.conversation.responses
    responses.begin_message(job.response_id)
    responses.written(job.response_id, "hello")
    responses.end_message(job.response_id)
    responses.finished(job.response_id)
    found = client.take()
    assert [e["delta"] for e in found if e["type"] == "response.output_text.delta"] == ["hello"]
    assert not [e for e in found if "audio" in e["type"]]
    assert found[-2]["response"]["metadata"] == {"k": "v"}
    assert found[-2]["response"]["output_modalities"] == ["text"]


def test_a_function_call_round_trip() -> None:
    tool = {"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object"}}
    client = Client(tools=[tool])
    client.send("response.create")
    job = client.respond()
    assert job.turn.tools == [tool]
    client.conversation.responses.called(job.response_id, Call("weather", '{"city":"Paris"}'))
    client.conversation.responses.finished(job.response_id)
    found = {event["type"]: event for event in client.take()}
    assert found["response.output_item.added"]["item"]["status"] == "in_progress"
    assert found["response.output_item.added"]["item"]["arguments"] == ""
    assert found["response.function_call_arguments.delta"]["delta"] == '{"city":"Paris"}'
    assert found["response.function_call_arguments.done"]["name"] == "weather"
    call = found["response.output_item.done"]["item"]
    assert (call["status"], call["arguments"]) == ("completed", '{"city":"Paris"}')
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    assert client.types(client.send("conversation.item.create", item=output))[0] == "conversation.item.added"
    client.send("response.create", response={"tool_choice": "none", "instructions": "be short"})
    turn = client.respond().turn
    assert [item["type"] for item in turn.items] == ["function_call", "function_call_output"]
    assert (turn.tool_choice, turn.response_instructions) == ("none", "be short")


def test_a_second_response_is_refused_while_one_is_active() -> None:
    client = Client()
    client.say(finish=False)
    detail = error_of(client.send("response.create", event_id="mine"))
    assert detail["code"] == "conversation_already_has_active_response"
    assert detail["event_id"] == "mine"


def test_after_a_cancel_nothing_more_is_said() -> None:
    client = Client()
    item_id = client.say(finish=False)
    found = client.send("response.cancel")
    response = found[-2]["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    responses = client.conversation.responses
    assert not responses.is_active(response["id"])
    responses.spoken(response["id"], "more", speech("hello there", 100))
    responses.called(response["id"], Call("x", "{}"))
    responses.finished(response["id"])
    assert client.take() == []
    assert client.conversation.context()[-1].id == item_id
    assert error_of(client.send("response.cancel"))["code"] == "response_cancel_not_active"
    assert client.types(client.send("response.create")) == ["response.created"]


def test_a_response_out_of_band_leaves_the_conversation_as_it_was() -> None:
    client = Client()
    client.item("kept", id="a")
    client.say(finish=False)
    given = [
        {"type": "item_reference", "id": "a"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify"}]},
    ]
    items = client.items()
    created = client.send("response.create", response={"conversation": "none", "input": given})
    assert created[0]["response"]["conversation_id"] is None
    job = client.respond()
    assert [item["content"][0]["text"] for item in job.turn.items] == ["kept", "classify"]
    responses = client.conversation.responses
    responses.begin_message(job.response_id)
    responses.spoken(job.response_id, "ok", b"")
    responses.end_message(job.response_id)
    responses.finished(job.response_id)
    assert not [e for e in client.take() if e["type"].startswith("conversation.")]
    assert client.items() == items


def test_responses_out_of_band_are_bounded() -> None:
    client = Client()
    for _ in range(4):
        assert client.types(client.send("response.create", response={"conversation": "none"})) == [
            "response.created"
        ]
    assert (
        error_of(client.send("response.create", response={"conversation": "none"}))["code"]
        == "rate_limit_exceeded"
    )
    assert client.types(client.send("response.create")) == ["response.created"]


def test_an_empty_input_is_an_empty_context() -> None:
    client = Client()
    client.item("not seen")
    client.send("response.create", response={"input": []})
    assert client.respond().turn.items == []


def test_the_token_limit_ends_a_response_as_incomplete() -> None:
    client = Client()
    client.send("response.create", response={"max_output_tokens": 3})
    job = client.respond()
    responses = client.conversation.responses
    responses.begin_message(job.response_id)
    responses.spoken(job.response_id, "one ", speech("hello there", 100))
    assert responses.is_active(job.response_id)
    responses.spoken(job.response_id, "two ", speech("hello there", 100))
    assert not responses.is_active(job.response_id)
    done = client.take()[-2]["response"]
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["status"] == "incomplete"


def test_a_failed_response_says_why() -> None:
    client = Client()
    client.send("response.create")
    client.conversation.responses.failed(client.respond().response_id, "the brain is away")
    done = client.take()[0]["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["message"] == "the brain is away"


# -- truncation -----------------------------------------------------------------------------------------------
def test_truncating_keeps_the_words_that_were_heard() -> None:
    client = Client()
    item_id = client.say("one two three four", ms_a_word=100)
    found = client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=260)
    assert client.types(found) == ["conversation.item.truncated"]
    assert found[0]["audio_end_ms"] == 260
    (retrieved,) = client.send("conversation.item.retrieve", item_id=item_id)
    part = retrieved["item"]["content"][0]
    assert part["transcript"] == "one two three"  # more than half of "three" was heard
    assert len(base64.b64decode(part["audio"])) == 260 * 48
    client.send("response.create")
    assert client.respond().turn.items[0]["content"][0]["transcript"] == "one two three"


def test_truncating_past_the_end_is_refused_with_both_lengths() -> None:
    client = Client()
    item_id = client.say("one two", ms_a_word=100)
    refused = client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=201)
    assert error_of(refused)["message"] == "Audio content of 200ms is already shorter than 201ms"
    assert client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=200) != []
    refused = client.send("conversation.item.truncate", item_id=item_id, content_index=1, audio_end_ms=100)
    assert error_of(refused)["param"] == "content_index"


def test_only_model_audio_can_be_truncated() -> None:
    client = Client()
    client.item(id="a")
    refused = client.send("conversation.item.truncate", item_id="a", content_index=0, audio_end_ms=0)
    assert error_of(refused)["message"] == "Only model output audio messages can be truncated"


def test_an_item_truncated_while_it_streams_does_not_grow_again() -> None:
    client = Client()
    item_id = client.say("one two three", finish=False)
    client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=100)
    client.conversation.responses.spoken("resp_1", "four", speech("hello there", 100))
    client.send("response.cancel")
    assert client.conversation.context()[0].wire["content"][0]["transcript"] == "one"


def test_an_item_deleted_while_it_streams_leaves_the_context() -> None:
    client = Client()
    item_id = client.say("one two three", finish=False)
    client.send("conversation.item.delete", item_id=item_id)
    client.send("response.cancel")
    assert client.items() == []
