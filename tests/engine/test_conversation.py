"""The session, and every kind of bad event, with the code that the real API answers."""

from __future__ import annotations

import pytest

from hand_fed import Client, Event, error_of
from rtbridge.engine import events
from rtbridge.errors import BadRequest


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
