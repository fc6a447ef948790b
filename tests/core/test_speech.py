"""From the model's deltas to what the caller heard."""

from __future__ import annotations

import pytest

from rtbridge.core import pcm, speech
from rtbridge.core.playout import Began, Played
from rtbridge.core.speech import Speech, entry_of


def say(spoken: Speech, item_id: str, ms: int, text: str) -> None:
    spoken.begin(item_id, "r", "greeter")
    spoken.add_text(item_id, text)
    assert spoken.add_audio(item_id, 0, pcm.silence(pcm.samples_of_ms(ms))) == 0


def play(spoken: Speech, ms: int) -> None:
    spoken.playout.pull(pcm.samples_of_ms(ms))


def test_an_item_that_is_played_to_its_end_was_heard_whole() -> None:
    spoken = Speech(word_times=True)
    spoken.transcript.add(entry_of({"id": "a", "type": "message", "role": "assistant"}), None)
    say(spoken, "a", 40, "Hello there.")
    spoken.playout.finish("a")
    play(spoken, 40)
    began, played, _drained = spoken.marks()
    assert began == Began("a")
    assert isinstance(played, Played)
    heard = spoken.played(played.progress)
    assert (heard.heard_ms, heard.total_ms, heard.heard_text, heard.unheard_text) == (
        40,
        40,
        "Hello there.",
        "",
    )
    assert spoken.add_audio("a", 0, pcm.SILENT_FRAME) == 0
    assert not spoken.playout.holds("a"), "late audio of an item that is over"


def test_a_flush_cuts_each_item_at_what_was_pulled_and_splits_its_words() -> None:
    spoken = Speech(word_times=False)
    spoken.transcript.add(entry_of({"id": "a", "type": "message", "role": "assistant"}), None)
    say(spoken, "a", 100, "aaaa bbbb cccc")
    say(spoken, "b", 100, "never")
    play(spoken, 40)
    first, second = spoken.flush()
    assert (first.item_id, first.heard.heard_ms, first.heard.total_ms) == ("a", 40, 100)
    assert (first.heard.heard_text, first.heard.unheard_text) == ("aaaa", "bbbb cccc")
    assert (second.item_id, second.heard.heard_ms, second.heard.heard_text) == ("b", 0, "")
    entry = spoken.transcript.get("a")
    assert entry is not None
    assert (entry.text, entry.unheard) == ("aaaa ", "bbbb cccc")
    spoken.set_text("a", "aaaa bbbb dddd")
    assert (entry.text, entry.unheard) == ("aaaa ", "bbbb dddd"), "a late transcript makes nothing heard"


def test_items_with_nothing_queued_and_nothing_heard_are_found_once() -> None:
    spoken = Speech(word_times=False)
    spoken.begin("silent", "r", "g")
    say(spoken, "queued", 20, "x")
    assert spoken.unheard(["silent", "queued", "unknown"]) == ["silent"]
    assert spoken.unheard(["silent"]) == []


def test_of_what_is_still_playing_only_that_was_said_which_was_heard() -> None:
    spoken = Speech(word_times=True)
    written = [{"type": "input_text", "text": "Hi."}]
    spoken.transcript.add(entry_of({"id": "u", "type": "message", "role": "user", "content": written}), None)
    for item_id in "abcd":
        spoken.transcript.add(entry_of({"id": item_id, "type": "message", "role": "assistant"}), None)
    spoken.transcript.add(entry_of({"id": "t", "type": "function_call", "name": "look_up"}), None)
    for item_id, word, text in (("a", "One", " two"), ("b", "Three", " four")):
        say(spoken, item_id, 100, word)
        say(spoken, item_id, 100, text)
    spoken.begin("c", "r", "greeter")
    spoken.add_text("c", "its sound is to come")
    spoken.begin("d", "r", "greeter")
    spoken.add_text("d", "in writing")
    spoken.complete("d")
    play(spoken, 120)
    assert spoken.heard_so_far() == [
        ("user", "Hi."),
        ("greeter", "One"),
        ("greeter", ""),
        ("greeter", ""),
        ("greeter", "in writing"),
    ]
    spoken.flush()
    assert spoken.heard_so_far()[1] == ("greeter", "One")
    assert spoken.unheard(["c"]) == ["c"]
    entry = spoken.transcript.get("c")
    assert entry is not None
    assert (entry.text, entry.unheard) == ("", "its sound is to come")


def test_what_belongs_to_no_item_is_not_kept() -> None:
    spoken = Speech(word_times=False)
    assert spoken.add_audio("nobody", 0, pcm.SILENT_FRAME) == 0
    spoken.add_text("nobody", "x")
    spoken.set_text("nobody", "x")
    spoken.complete("nobody")
    assert spoken.get("nobody") is None
    assert spoken.ledger.text("nobody") == ""


def test_old_items_are_forgotten_but_never_one_that_is_still_to_be_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speech, "MAX_REMEMBERED", 2)
    spoken = Speech(word_times=False)
    say(spoken, "playing", 100, "x")
    for item_id in ("a", "b", "c"):
        spoken.begin(item_id, "r", "g")
    assert spoken.queued("playing") is spoken.get("playing")
    assert spoken.get("a") is None
    assert spoken.get("c") is not None


def test_who_speaks_is_written_into_the_transcript_even_when_the_item_came_first() -> None:
    spoken = Speech(word_times=False)
    entry = spoken.transcript.add(entry_of({"id": "a", "type": "message", "role": "assistant"}), None)
    spoken.begin("a", "r", "poet")
    assert entry.agent == "poet"


@pytest.mark.parametrize(
    ("item", "text", "is_spoken"),
    [
        ({"role": "user", "content": [{"type": "input_text", "text": "hi"}]}, "hi", False),
        ({"role": "user", "content": [{"type": "input_audio", "transcript": None}]}, "", True),
        ({"role": "assistant", "content": []}, "", True),
        ({"role": "assistant", "content": [{"type": "output_text", "text": "a"}, "junk"]}, "a", False),
        ({"role": None, "content": "junk"}, "", False),
        ({"role": "user", "content": [{"type": ["junk"]}]}, "", False),
    ],
)
def test_a_wire_item_becomes_an_entry_whatever_its_content_is(
    item: dict[str, object], text: str, is_spoken: bool
) -> None:
    entry = entry_of({"id": "a", "type": "message", "status": "completed", **item})
    assert (entry.text, entry.spoken, entry.done) == (text, is_spoken, True)
