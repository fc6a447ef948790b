"""Keys and tainted values are masked however they are written or said; everything else stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rtbridge.settings import Settings
from rtbridge.upstream.frames import Row
from rtbridge.upstream.scrub import Scrubber, pieces
from rtbridge.upstream.scrubbing import KeptFrames


def scrubber() -> Scrubber:
    made = Scrubber(["correct-horse-battery"])
    made.taint("phone", "(206) 555-0101")
    made.taint("born", "1987-03-05")
    made.taint("mail", "jo.smith@example.com")
    made.taint("pin", 1234)
    made.taint("name", "Ana Maria")
    return made


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call 206 555 0101 now", "call [masked phone] now"),
        ("two oh six, five five five, oh one oh one.", "[masked phone]."),
        ("two zero six triple five zero one zero one", "[masked phone]"),
        ("+1 206-555-0101", "+1 [masked phone]"),
        ("it ends in oh one oh one", "it ends in [masked phone]"),
        ("March fifth, nineteen eighty-seven", "[masked born]"),
        ("March 5th, 1987", "[masked born]"),
        ("03/05/1987 or 1987-03-05", "[masked born] or [masked born]"),
        ("jo dot smith at example dot com", "[masked mail]"),
        ("jo.smith@example.com!", "[masked mail]!"),
        ("I am ana maria.", "I am [masked name]."),
        ("sk-abcdefghijklmnop", "[masked key]"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [masked key]"),
        ("ek_0123456789abcdef", "[masked key]"),
        ("it was correct-horse-battery", "it was [masked key]"),
    ],
)
def test_a_value_is_masked_however_it_is_spelled(text: str, masked: str) -> None:
    assert scrubber().mask(text) == masked


@pytest.mark.parametrize(
    "text",
    ["ten years, 206 pages", "on the fifth of May", "Ana alone", "item 12", "eight or nine of them", ""],
)
def test_what_only_looks_a_little_like_it_stays(text: str) -> None:
    assert scrubber().mask(text) == text


def test_json_in_texts_stays_json_and_ids_stay_ids() -> None:
    event = {"item_id": "item_1234", "arguments": '{"pin": 1234, "phone": "2065550101"}', "n": 1234}
    masked = scrubber().deeply(event)
    assert masked["item_id"] == "item_1234"
    assert masked["n"] == 1234
    assert json.loads(masked["arguments"]) == {"pin": "[masked pin]", "phone": "[masked phone]"}


def test_a_value_in_pieces_is_masked_across_them() -> None:
    parts = ["It is 2", "06 555", " 01", "01, right? 206 5550101", "."]
    masked = pieces(scrubber(), parts)
    assert masked == ["It is [masked phone]", "", "", ", right? [masked phone]", "."]
    assert "".join(masked) == scrubber().mask("".join(parts))


def call_with_canary() -> bytes:
    """Return a short call in which a number is said, heard in pieces, given to a tool and told again."""
    frames = KeptFrames(Settings())
    schema = {"type": "object", "properties": {"phone": {"type": "string", "x-sensitive": True}}}
    tool = {"type": "function", "name": "lookup", "description": "", "parameters": schema}
    rows: list[tuple[str, dict[str, Any]]] = [
        (
            "out",
            {"type": "session.update", "session": {"tools": [tool], "instructions": "sk-canary0123456789"}},
        ),
        ("in", {"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 100}),
        ("in", {"type": "input_audio_buffer.speech_stopped", "item_id": "u1", "audio_end_ms": 900}),
        (
            "in",
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "u1",
                "transcript": "It's two oh six, five five five, oh one oh one.",
            },
        ),
        (
            "in",
            {
                "type": "response.function_call_arguments.done",
                "call_id": "c1",
                "arguments": '{"phone": "206-555-0101"}',
            },
        ),
        ("in", {"type": "response.output_audio.delta", "item_id": "a1", "delta": "//8="}),
        ("in", {"type": "response.output_audio_transcript.delta", "item_id": "a1", "delta": "So 206 "}),
        ("in", {"type": "response.output_audio_transcript.delta", "item_id": "a1", "delta": "555 0101."}),
        ("in", {"type": "response.output_audio.delta", "item_id": "a2", "delta": "//8="}),
    ]
    for direction, event in rows:
        frames.keep(Row(0.0, direction, event))
    return frames.scrubbed()


def test_no_canary_is_left_in_a_cassette_before_or_after_it_was_known_to_be_one() -> None:
    text = call_with_canary().decode()
    for canary in ("0101", "555", "five five", "canary"):
        assert canary not in text
    rows = [json.loads(line)["event"] for line in text.splitlines()]
    assert [row["delta"] for row in rows if row["type"] == "response.output_audio.delta"] == ["AAA=", "//8="]
    assert rows[3]["transcript"] == "It's [masked phone]."
    assert [row["delta"] for row in rows[6:8]] == ["So [masked phone]", "."]
