"""What the caller's side may see: no audio, no tools, no prompts, and an order without holes."""

from __future__ import annotations

from typing import Any

import pytest

from rtbridge.core import view
from rtbridge.core.transcript import Entry, Transcript

Wire = dict[str, Any]


def conversation() -> Transcript:
    transcript = Transcript()
    for entry in (
        Entry("u", "message", "user"),
        Entry("call", "function_call", ""),
        Entry("a", "message", "assistant"),
    ):
        transcript.add(entry, None)
    return transcript


MESSAGE = {
    "id": "a",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_audio", "audio": "AAAA"}, 7],
}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_audio.delta", "delta": "AAAA"},
        {"type": "response.function_call_arguments.delta"},
        {"type": "session.created", "session": {"instructions": "secret"}},
        {"type": "conversation.item.added", "item": {"id": "call", "type": "function_call"}},
        {"type": "conversation.item.added", "item": {"id": "s", "type": "message", "role": "system"}},
        {"type": "conversation.item.added", "item": "junk"},
        {"type": "response.content_part.added", "part": "junk"},
        {"type": "response.done", "response": "junk"},
        {"type": "conversation.item.deleted", "item_id": "call"},
        {"type": "conversation.item.deleted", "item_id": "nobody"},
        {"type": ["junk"]},
        {},
    ],
)
def test_what_is_not_for_the_caller_is_not_seen(event: Wire) -> None:
    assert view.visible(event, conversation()) is None


def test_a_message_is_seen_without_its_audio_behind_the_last_item_that_was_seen() -> None:
    event = {"type": "conversation.item.added", "previous_item_id": "call", "item": MESSAGE}
    seen = view.visible(event, conversation())
    assert seen is not None
    assert seen["item"]["content"] == [{"type": "output_audio"}]
    assert seen["previous_item_id"] == "u"
    done = view.visible(
        {"type": "response.output_item.done", "item": {**MESSAGE, "content": None}}, conversation()
    )
    assert done is not None
    assert done["item"]["content"] == []
    assert "previous_item_id" not in done


def test_speech_events_pass_and_name_what_the_caller_has_seen_before() -> None:
    event = {"type": "input_audio_buffer.committed", "item_id": "new", "previous_item_id": "call"}
    assert view.visible(event, conversation()) == {**event, "previous_item_id": "a"}
    started = {"type": "input_audio_buffer.speech_started", "item_id": "new"}
    assert view.visible(started, conversation()) == started


def test_parts_are_called_audio_and_text_as_stock_browser_clients_know_them() -> None:
    for ours, theirs in (("output_audio", "audio"), ("output_text", "text"), ("audio", "audio")):
        event = {"type": "response.content_part.added", "part": {"type": ours, "audio": "AAAA"}}
        seen = view.visible(event, conversation())
        assert seen is not None
        assert seen["part"] == {"type": theirs}


def test_a_response_is_seen_with_its_messages_and_without_its_calls() -> None:
    output = [MESSAGE, {"type": "function_call", "name": "secret"}, "junk"]
    seen = view.visible({"type": "response.done", "response": {"id": "r", "output": output}}, conversation())
    assert seen is not None
    assert [item["id"] for item in seen["response"]["output"]] == ["a"]
    bare = view.visible({"type": "response.created", "response": {"id": "r"}}, conversation())
    assert bare is not None
    assert bare["response"]["output"] == []


def test_a_deleted_message_is_told() -> None:
    event = {"type": "conversation.item.deleted", "item_id": "a"}
    assert view.visible(event, conversation()) == event


def test_the_session_is_shown_without_prompt_and_tools_and_with_the_clients_own_turn_detection() -> None:
    session = {
        "model": "m",
        "instructions": "Secret.",
        "tools": [{"name": "secret"}],
        "audio": {"input": {"turn_detection": {"create_response": False}}, "output": {"voice": "sage"}},
    }
    shown = view.session_view(session, call_id="rtc_1", detection={"type": "semantic_vad"})
    assert "ecret" not in str(shown)
    assert shown["audio"]["input"]["turn_detection"] == {"type": "semantic_vad"}
    assert (shown["id"], shown["model"], shown["audio"]["output"]["voice"]) == ("rtc_1", "m", "sage")


def test_an_event_can_be_cut_to_what_may_be_read_wherever_it_holds_the_words() -> None:
    part = {"type": "audio", "transcript": "one two"}
    item = {"id": "a", "type": "message", "content": [part]}
    other = {"id": "b", "type": "message", "content": [part]}
    said = {"a": "one"}
    short = {"type": "audio", "transcript": "one"}
    of_part = {"type": "response.content_part.done", "item_id": "a", "part": part}
    assert view.items_of(of_part) == ["a"]
    assert view.cut(of_part, said) == {**of_part, "part": short}
    assert view.cut({**of_part, "item_id": "b"}, said) == {**of_part, "item_id": "b"}
    of_text = {"type": "response.output_text.done", "item_id": "a", "text": "one two"}
    assert view.cut(of_text, said)["text"] == "one"
    of_item = {"type": "response.output_item.done", "item": item}
    assert view.items_of(of_item) == ["a"]
    assert view.cut(of_item, said)["item"]["content"] == [short]
    done = {"type": "response.done", "response": {"id": "r", "output": [item, other]}}
    assert view.items_of(done) == ["a", "b"]
    assert view.cut(done, said)["response"]["output"] == [{**item, "content": [short]}, other]
    assert view.items_of({"type": "rate_limits.updated"}) == []
