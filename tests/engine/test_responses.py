"""Responses: the order of their events, who may begin, and what ends them."""

from __future__ import annotations

from hand_fed import Client, error_of
from rtbridge.engine.parts import Call
from scripted_engine import speech


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
