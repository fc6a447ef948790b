"""Everything that decides whose turn it is lives in this file. It reads no clock and moves no audio.

State is where we are, a cause is what happened, a row says where to go and what must be done about it. A cause
with no row in a state is a bug in tests and a journaled, ignored event on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Whose turn it is."""

    LISTENING = "listening"
    CALLER_SPEAKING = "caller_speaking"
    THINKING = "thinking"
    AGENT_SPEAKING = "agent_speaking"
    DECIDING = "deciding"  # the agent is paused: did the caller mean to interrupt it?


class Cause(Enum):
    """What happened."""

    SPEECH_STARTED = "speech_started"  # the upstream's turn detection hears the caller
    SPEECH_STOPPED = "speech_stopped"  # ... and hears the turn end
    SPEECH_DROPPED = "speech_dropped"  # ... and was told to forget it
    REAL = "real"  # what was heard over the agent's words was meant
    FALSE_ALARM = "false_alarm"  # ... and was not: a cough, an echo, a word that says "go on"
    REQUESTED = "requested"  # an answer was asked for: greeting, typed text, a tool's result
    FIRST_AUDIO = "first_audio"  # the first sample of an item was pulled
    DRAINED = "drained"  # the last sample of all that was to come was pulled
    RESPONSE_DONE = "response_done"  # a response ended and left nothing to play and nothing to wait for
    CANCELLED = "cancelled"  # somebody but the caller's voice stopped the agent


class Effect(Enum):
    """What a row demands of the call."""

    PAUSE = "pause"  # playout, and keep all of it
    RESUME = "resume at the sample"  # at which it was paused
    CANCEL = "cancel"  # the active response
    FLUSH = "flush"  # playout
    SETTLE = "truncate, delete unheard"  # the upstream's context with what was heard


@dataclass(frozen=True, slots=True)
class Row:
    """Where to go, and what must be done."""

    to: State
    effects: tuple[Effect, ...] = ()


_INTERRUPT = (Effect.CANCEL, Effect.FLUSH, Effect.SETTLE)

TABLE: dict[State, dict[Cause, Row]] = {
    State.LISTENING: {
        Cause.SPEECH_STARTED: Row(State.CALLER_SPEAKING, _INTERRUPT),
        Cause.SPEECH_DROPPED: Row(State.LISTENING),
        Cause.SPEECH_STOPPED: Row(State.LISTENING),  # the end of speech that began before we attached
        Cause.REQUESTED: Row(State.THINKING),
        Cause.FIRST_AUDIO: Row(State.AGENT_SPEAKING),
        Cause.DRAINED: Row(State.LISTENING),
        Cause.RESPONSE_DONE: Row(State.LISTENING),
        Cause.CANCELLED: Row(State.LISTENING, _INTERRUPT),
    },
    State.CALLER_SPEAKING: {
        Cause.SPEECH_STARTED: Row(State.CALLER_SPEAKING),
        Cause.SPEECH_STOPPED: Row(State.THINKING),
        Cause.SPEECH_DROPPED: Row(State.LISTENING),
        Cause.RESPONSE_DONE: Row(State.CALLER_SPEAKING),
        Cause.CANCELLED: Row(State.CALLER_SPEAKING, _INTERRUPT),
    },
    State.THINKING: {
        Cause.SPEECH_STARTED: Row(State.CALLER_SPEAKING, _INTERRUPT),
        Cause.SPEECH_STOPPED: Row(State.THINKING),  # of speech that was told not to interrupt
        Cause.SPEECH_DROPPED: Row(State.THINKING),
        Cause.REQUESTED: Row(State.THINKING),
        Cause.FIRST_AUDIO: Row(State.AGENT_SPEAKING),
        Cause.RESPONSE_DONE: Row(State.LISTENING),
        Cause.CANCELLED: Row(State.LISTENING, _INTERRUPT),
    },
    State.AGENT_SPEAKING: {
        Cause.SPEECH_STARTED: Row(State.DECIDING, (Effect.PAUSE,)),
        Cause.REAL: Row(State.CALLER_SPEAKING, _INTERRUPT),  # what was dismissed went on
        Cause.SPEECH_STOPPED: Row(State.AGENT_SPEAKING),
        Cause.SPEECH_DROPPED: Row(State.AGENT_SPEAKING),
        Cause.REQUESTED: Row(State.AGENT_SPEAKING),
        Cause.FIRST_AUDIO: Row(State.AGENT_SPEAKING),  # the next item of the same answer
        Cause.DRAINED: Row(State.LISTENING),
        Cause.RESPONSE_DONE: Row(State.AGENT_SPEAKING),
        Cause.CANCELLED: Row(State.LISTENING, _INTERRUPT),
    },
    State.DECIDING: {
        Cause.REAL: Row(State.CALLER_SPEAKING, _INTERRUPT),
        Cause.FALSE_ALARM: Row(State.AGENT_SPEAKING, (Effect.RESUME,)),
        Cause.REQUESTED: Row(State.DECIDING),
        Cause.DRAINED: Row(State.DECIDING),  # what was to come did not: the last word was out
        Cause.RESPONSE_DONE: Row(State.DECIDING),
        Cause.CANCELLED: Row(State.LISTENING, _INTERRUPT),
    },
}


class Turns:
    """The one place where the state moves."""

    def __init__(self) -> None:
        self.state = State.LISTENING

    def move(self, cause: Cause) -> Row | None:
        """Move by the row for `cause` and return it, or return None and stay where there is no row."""
        row = TABLE[self.state].get(cause)
        if row is not None:
            self.state = row.to
        return row


def mermaid() -> str:
    """Return the table as a Mermaid state diagram; the README holds it, and a test keeps it so."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.LISTENING.name}"]
    for state, rows in TABLE.items():
        for cause, row in rows.items():
            if row.to is state and not row.effects:
                continue
            does = f" [{', '.join(effect.value for effect in row.effects)}]" if row.effects else ""
            lines.append(f"    {state.name} --> {row.to.name}: {cause.value}{does}")
    return "\n".join(lines) + "\n"
