"""A story of two desks with a tool, a handoff, an interruption and a typed turn, and the agent that answers it."""

from __future__ import annotations

from collections.abc import Iterable

from replay_rig import story
from rtbridge.engine.parts import Act, Call, Say, Turn
from rtbridge.replay import story as tale
from rtbridge.replay.sound import Sound
from rtbridge.replay.story import Anchor, Budget, CallExpect, Start, ToolExpect, TurnExpect
from scripted_engine import last_text, speech


def answer(turn: Turn) -> Iterable[Act]:
    """Greet; on "hello there" look an order up; on "billing please" hand over; else say what was said."""
    text = last_text(turn)
    if text == "hello there":
        return [Call("look_up", '{"order": "A7"}')]
    if text == "billing please":
        return [Call("transfer_to_billing", "{}")]
    if turn.prompt_id is not None and turn.prompt_id.endswith("/billing") and not text.startswith("You"):
        return [Say("Billing speaks here now, and at some length.")]
    return [Say(f"Heard {text}." if text else "Welcome to the front desk.")]


def say(turn_id: str, words: str, start: Start | None = None, **expect: object) -> tale.Turn:
    sound = Sound(words, speech(words))
    return tale.Turn(turn_id, 1, sound, None, False, start or Start(), TurnExpect(**expect))  # type: ignore[arg-type]


def typed(turn_id: str, words: str, **expect: object) -> tale.Turn:
    return tale.Turn(turn_id, 1, None, words, False, Start(), TurnExpect(**expect))  # type: ignore[arg-type]


WHOLE = story(
    say("order", "hello there", respond_within_ms=700, heard="A7 is on its way", agent="front"),
    say("over", "billing please", respond_within_ms=700, heard="billing speaks", agent="billing"),
    say(
        "cut",
        "yes please",
        Start(Anchor.TURN_END, 1500),
        stop_within_ms=200,
        truncate_error_ms=0,
        unheard_in_context=False,
    ),
    typed("typed", "one more thing", respond_within_ms=100),
    expect=CallExpect(handoffs=("billing",), tools=(ToolExpect("look_up", {"order": "A7"}),)),
    budget=Budget(bridge_added_p95_ms=40, underruns=0, protocol_errors=0, leaked_tasks=0),
)
