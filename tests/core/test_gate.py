"""How far items are cleared, on numbers."""

from __future__ import annotations

from rtbridge.core.gate import CALLER_WITHIN_S, MAX_AWAITED, MAX_REMEMBERED, OWED_FOR_S, Gate, Guarded


def gated() -> Guarded:
    guarded = Gate({"a": "gate"}).begin("i", "a")
    assert guarded is not None
    return guarded


def test_text_is_cleared_from_its_beginning_and_without_holes() -> None:
    guarded = gated()
    assert guarded.passed(0, 10)
    assert guarded.cleared == 10
    assert not guarded.passed(20, 30)
    assert guarded.cleared == 10
    assert guarded.passed(10, 20)
    assert guarded.cleared == 30


def test_a_verdict_that_comes_twice_or_overlaps_clears_no_more_than_it_says() -> None:
    guarded = gated()
    assert guarded.passed(0, 10)
    assert not guarded.passed(0, 10)
    assert not guarded.passed(0, 4)
    assert guarded.passed(5, 15)
    assert guarded.cleared == 15


def test_an_item_that_was_stopped_is_cleared_no_further() -> None:
    guarded = gated()
    guarded.stopped = True
    assert not guarded.passed(0, 10)
    assert guarded.cleared == 0


def test_what_was_asked_for_word_by_word_is_cleared_as_far_as_it_is_that() -> None:
    guarded = Gate({"a": "gate"}).begin("i", "a", phrase="One moment, please.")
    assert guarded is not None
    assert guarded.said("One ")
    assert not guarded.said("One ")
    assert guarded.said("One moment,")
    assert guarded.is_own(11)
    assert not guarded.said("One moment, idiot")
    assert guarded.cleared == 11
    assert not guarded.is_own(17)


def test_an_agents_own_words_are_nobodys_phrase() -> None:
    guarded = gated()
    assert not guarded.said("anything")
    guarded.passed(0, 8)
    assert not guarded.is_own(8)


def test_who_is_off_or_not_named_is_not_watched_over() -> None:
    gate = Gate({"a": "gate", "b": "off", "c": "observe"})
    assert gate.begin("i", "b") is None
    assert gate.begin("j", "stranger") is None
    assert gate.get("i") is None
    assert (gate.policy("a"), gate.policy("b"), gate.policy("stranger")) == ("gate", "off", "off")
    observed = gate.begin("k", "c")
    assert observed is not None
    assert observed.policy == "observe"
    assert gate.begin("k", "b") is observed


def test_old_items_are_forgotten() -> None:
    gate = Gate({"a": "gate"})
    for number in range(MAX_REMEMBERED + 1):
        gate.begin(f"i{number}", "a")
    assert gate.get("i0") is None
    assert gate.get("i1") is not None


def test_a_phrase_is_owed_for_a_while_only() -> None:
    gate = Gate({})
    assert gate.deadline() is None
    gate.owe("Sorry.", 10.0)
    assert gate.deadline() == 10.0 + OWED_FOR_S
    assert gate.overdue(10.0 + OWED_FOR_S - 0.01) == []
    assert gate.owed == "Sorry."
    gate.overdue(10.0 + OWED_FOR_S)
    assert not gate.owed
    assert gate.deadline() is None


def test_what_a_caller_said_is_awaited_for_a_while_only_and_not_without_bound() -> None:
    gate = Gate({})
    for number in range(MAX_AWAITED + 1):
        gate.await_caller(f"u{number}", float(number))
    assert len(gate.awaited) == MAX_AWAITED
    assert gate.deadline() == 1 + CALLER_WITHIN_S
    assert gate.overdue(2 + CALLER_WITHIN_S) == ["u1", "u2"]
