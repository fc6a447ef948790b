"""Two events that mean the same are the same; what differs is said in words that name the place."""

from __future__ import annotations

from typing import Any

import pytest

from rtbridge.upstream.meaning import differences


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "event_id": "e1", "session": session}


def test_ids_of_events_and_spelling_of_json_mean_nothing() -> None:
    one = {"type": "conversation.item.create", "event_id": "e1", "item": {"id": "i1", "output": '{"a": 1}'}}
    other = {"type": "conversation.item.create", "event_id": "e2", "item": {"id": "i2", "output": '{"a":1}'}}
    assert differences(one, other) == []


def test_long_prompts_are_told_by_the_lines_that_changed() -> None:
    before = update(instructions="# Role\nYou sell boards.\n- Be brief.\n- Be kind.")
    after = update(instructions="# Role\nYou sell boards.\n- Be thorough.\n- Be kind.")
    assert differences(before, after) == ["instructions changed: '- - Be brief.' '+ - Be thorough.'"]


def test_tools_are_told_by_name_and_path_whatever_their_order() -> None:
    def tool(name: str, **properties: Any) -> dict[str, Any]:
        return {"name": name, "parameters": {"properties": properties}}

    before = update(tools=[tool("a", x={"type": "string"}), tool("b")])
    after = update(tools=[tool("b"), tool("a", y={"type": "integer"}), tool("c")])
    assert differences(before, after) == [
        "tools.a.parameters.properties.x removed",
        'tools.a.parameters.properties.y added: {"type": "integer"}',
        'tools.c added: {"name": "c", "parameters": {"properties": {}}}',
    ]


def test_a_long_item_may_have_been_played_late_on_a_busy_machine_and_never_early() -> None:
    def truncate(ms: int) -> dict[str, Any]:
        return {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": ms}

    assert differences(truncate(7000), truncate(8000)) == []
    assert differences(truncate(7000), truncate(8100)) == ["audio_end_ms was 7000, is 8100"]
    assert differences(truncate(7000), truncate(6500)) == ["audio_end_ms was 7000, is 6500"]


@pytest.mark.parametrize(("ms", "same"), [(1000, True), (1400, True), (600, True), (1401, False), (0, False)])
def test_a_truncation_may_differ_by_a_fraction_of_a_word(ms: int, same: bool) -> None:
    def cut(ms: int) -> dict[str, Any]:
        return {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": ms}

    assert (differences(cut(1000), cut(ms)) == []) is same


def test_a_masked_text_stands_for_any_other_and_for_nothing_else_around_it() -> None:
    masked = update(instructions="Call [masked phone] back.")
    assert differences(masked, update(instructions="Call 206 555 0101 back.")) == []
    assert differences(masked, update(instructions="Write to 206 555 0101 back.")) != []


def test_values_of_other_types_and_lists_of_other_lengths_are_told() -> None:
    assert differences(update(a=1), update(a=True)) == ["a was 1, is true"]
    assert differences(update(a=[1, 2]), update(a=[1])) == ["a was [1, 2], is [1]"]
    assert differences(update(a=[1, 2]), update(a=[1, 3])) == ["a[1] was 2, is 3"]
    assert differences(
        {"type": "response.create"}, {"type": "response.create", "response": {"tool_choice": "none"}}
    )
