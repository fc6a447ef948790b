"""The conversation in audio order, and what of it is shown.

Trap 14 of the SDK's own history: `previous_item_id` is ignored there, so late items stand where they fell.
"""

from __future__ import annotations

import pytest

from rtbridge.core import transcript
from rtbridge.core.transcript import Entry, Transcript


def said(item_id: str, role: str = "user") -> Entry:
    return Entry(item_id, "message", role)


def ids(conversation: Transcript) -> list[str]:
    return [entry.item_id for entry in conversation]


def test_items_stand_where_previous_item_id_puts_them_and_not_where_they_arrived() -> None:
    conversation = Transcript()
    conversation.add(said("u1"), None)
    conversation.add(said("a1", "assistant"), "u1")
    conversation.add(said("u0"), "root")
    conversation.add(said("late"), "u1")
    conversation.add(said("end"), "nobody knows this one")
    assert ids(conversation) == ["u0", "u1", "late", "a1", "end"]


def test_an_item_that_is_known_stays_what_and_where_it_is() -> None:
    conversation = Transcript()
    first = conversation.add(said("a"), None)
    conversation.add(said("b"), None)
    assert conversation.add(said("a", "assistant"), "b") is first
    assert ids(conversation) == ["a", "b"]


def test_a_deleted_item_is_gone_and_a_second_delete_changes_nothing() -> None:
    conversation = Transcript()
    conversation.add(said("a"), None)
    conversation.remove("a")
    conversation.remove("a")
    assert ids(conversation) == []
    assert conversation.get("a") is None


def test_what_stands_before_an_item_is_the_nearest_that_the_caller_may_see() -> None:
    conversation = Transcript()
    for entry in (
        said("sys", "system"),
        said("u1"),
        Entry("call", "function_call", ""),
        said("a1", "assistant"),
    ):
        conversation.add(entry, None)
    assert conversation.visible_before("a1") == "u1"
    assert conversation.visible_before("u1") is None
    assert conversation.visible_before("not here yet") == "a1"


def test_a_very_long_call_forgets_its_oldest_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MAX_ENTRIES", 2)
    conversation = Transcript()
    for item_id in ("a", "b", "c"):
        conversation.add(said(item_id), None)
    assert ids(conversation) == ["b", "c"]
    assert conversation.get("a") is None


@pytest.mark.parametrize(
    ("role", "spoken", "part"),
    [
        ("user", True, {"type": "input_audio", "transcript": "hi"}),
        ("user", False, {"type": "input_text", "text": "hi"}),
        ("assistant", True, {"type": "output_audio", "transcript": "hi"}),
        ("assistant", False, {"type": "output_text", "text": "hi"}),
    ],
)
def test_an_item_is_retrieved_with_its_words_and_never_with_audio(
    role: str, spoken: bool, part: dict[str, str]
) -> None:
    entry = Entry("a", "message", role, text="hi", unheard=" there", spoken=spoken)
    assert entry.as_item()["content"] == [part]
    assert entry.as_item()["status"] == "in_progress"
    entry.done = True
    assert entry.as_item()["status"] == "completed"
