"""Whose turn it is: the table, and the README's picture of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtbridge.core.turns import TABLE, Cause, Effect, State, Turns, mermaid

README = Path(__file__).resolve().parents[2] / "README.md"


def test_a_plain_turn_goes_once_round() -> None:
    turns = Turns()
    seen = []
    for cause in (
        Cause.SPEECH_STARTED,
        Cause.SPEECH_STOPPED,
        Cause.REQUESTED,
        Cause.FIRST_AUDIO,
        Cause.DRAINED,
    ):
        assert turns.move(cause) is not None
        seen.append(turns.state)
    assert seen == [
        State.CALLER_SPEAKING,
        State.THINKING,
        State.THINKING,
        State.AGENT_SPEAKING,
        State.LISTENING,
    ]


def test_a_cause_without_a_row_moves_nothing() -> None:
    turns = Turns()
    turns.state = State.CALLER_SPEAKING
    assert turns.move(Cause.FIRST_AUDIO) is None
    assert turns.state is State.CALLER_SPEAKING


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (State.LISTENING, Cause.SPEECH_STARTED),
        (State.THINKING, Cause.SPEECH_STARTED),
        (State.DECIDING, Cause.REAL),
        (State.AGENT_SPEAKING, Cause.REAL),
    ],
)
def test_speech_interrupts_wherever_the_agent_may_be(state: State, cause: Cause) -> None:
    row = TABLE[state][cause]
    assert row.to is State.CALLER_SPEAKING
    assert set(row.effects) == {Effect.CANCEL, Effect.FLUSH, Effect.SETTLE}


def test_a_sound_over_the_agent_pauses_it_and_a_false_alarm_lets_it_go_on() -> None:
    turns = Turns()
    turns.state = State.AGENT_SPEAKING
    row = turns.move(Cause.SPEECH_STARTED)
    assert row is not None
    assert (turns.state, row.effects) == (State.DECIDING, (Effect.PAUSE,))
    row = turns.move(Cause.FALSE_ALARM)
    assert row is not None
    assert (turns.state, row.effects) == (State.AGENT_SPEAKING, (Effect.RESUME,))


def test_from_every_state_one_can_come_back_to_listening() -> None:
    for state in State:
        reached, edge = {state}, [state]
        while edge:
            for row in TABLE[edge.pop()].values():
                if row.to not in reached:
                    reached.add(row.to)
                    edge.append(row.to)
        assert reached == set(State)


def test_the_diagram_shows_every_row_that_moves_or_does_something() -> None:
    drawn = mermaid().splitlines()
    assert drawn[:2] == ["stateDiagram-v2", "    [*] --> LISTENING"]
    assert "    THINKING --> AGENT_SPEAKING: first_audio" in drawn
    assert not any("AGENT_SPEAKING --> AGENT_SPEAKING" in line for line in drawn)
    moving = [row for state in State for row in TABLE[state].values() if row.to is not state or row.effects]
    assert len(drawn) == 2 + len(moving)


def test_the_readme_shows_the_table_as_it_is() -> None:
    text = README.read_text(encoding="utf-8")
    block = text.split("<!-- turns -->")[1].split("<!-- /turns -->")[0]
    assert block.strip() == f"```mermaid\n{mermaid()}```"
