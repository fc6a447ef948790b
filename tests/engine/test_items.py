"""Items: their order, their audio, their truncation and their end."""

from __future__ import annotations

import base64

from hand_fed import PUSH_TO_TALK, Client, error_of
from rtbridge.engine.items import KEPT_AUDIO_SAMPLES, MAX_ITEMS
from rtbridge.engine.outbox import Transcribe
from scripted_engine import silence, speech


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
