"""One vocabulary: names, fields, and what goes to the caller."""

from __future__ import annotations

import json
import re

from rtbridge.core import journal

# slots=True makes each class twice; the one that the module names is the one that is used.
ENTRIES = [one for one in vars(journal).values() if isinstance(one, type) and issubclass(one, journal.Entry)][
    1:
]


def test_every_event_is_a_noun_and_what_happened_to_it_and_no_name_is_used_twice() -> None:
    names = [entry.event for entry in ENTRIES]
    assert len(set(names)) == len(names) >= 20
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", name) for name in names)


def test_an_entry_is_written_with_its_fields_in_order_and_without_what_is_none() -> None:
    moved = journal.TurnChanged(from_="listening", to="thinking", cause="requested")
    assert list(moved.as_dict().items()) == [
        ("from", "listening"),
        ("to", "thinking"),
        ("cause", "requested"),
    ]
    assert "reason" not in journal.ResponseEnded("r", "completed").as_dict()
    assert json.dumps(journal.Notice("x", ("voice",)).as_dict()) == '{"message": "x", "ignored": ["voice"]}'


def test_what_the_caller_hears_of_is_what_the_data_channel_promises() -> None:
    to_caller = {entry.event for entry in ENTRIES if entry.to_caller}
    assert {
        "call.opened",
        "agent.handed_off",
        "tool.started",
        "tool.ended",
        "turn.ended",
        "item.heard",
        "notice",
    } <= to_caller
    assert "upstream.erred" not in to_caller
