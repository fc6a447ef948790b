"""Calls at random whose turns are pushed to talk, with mute, playback off and hold at any time.

Whatever happens, what was said while the button was down is in exactly one turn, whole and in order, nothing that was
said between two turns is in any, everybody is answered, and peace returns.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from conftest import Count
from random_caller import ANSWERS, MOODS, PLAN, Caller
from rig import FarUpstream, Rig, Say
from rtbridge.core import journal, pcm
from rtbridge.core.push_to_talk import BEFORE_SAMPLES, EMPTY, LEAST_SAMPLES, TAIL_SAMPLES, Button
from rtbridge.core.races import ALREADY_ACTIVE, BENIGN
from rtbridge.core.turns import State
from talker_rig import BY_HAND, BY_VAD

BLOCK = 64_000  # samples


def numbered(first: int, end: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return samples each of which, with its neighbour, says which it is; none is 0."""
    at = np.arange(first, end)
    return np.where(at % 2 == 0, at % BLOCK // 2 + 1, -(at // BLOCK + 1))


class NumberedRig(Rig):
    """A rig whose caller's every sample says which of theirs it is; 0 is silence."""

    spoken = 0

    def said(self) -> bytes:
        first, self.spoken = self.spoken, self.spoken + pcm.FRAME_SAMPLES
        return numbered(first, self.spoken).astype("<i2").tobytes()


@dataclass
class ByHand(Caller):
    """A caller with a button, and no end of other buttons."""

    rig: NumberedRig
    by_hand: bool = True
    down_at: int | None = None  # at which sample
    wanted: bool = False  # the last release asked for an answer
    seen: int = 0  # turns that were committed
    said: list[tuple[int, int]] = field(
        default_factory=list
    )  # from press to release, of those that are turns
    on: dict[str, bool] = field(default_factory=dict)

    def speak(self, at: int, *, more: bool) -> None:
        rig, chance = self.rig, self.chance
        for item_id in [one for one in rig.far.items if one.startswith("said_")][self.seen :]:
            self.turns[item_id] = self.wanted
            self.seen += 1
        if self.down_at is None:
            if more and self.by_hand and chance.random() < 0.03 and not self.on.get("held"):
                self.press(at)
        elif at >= self.stops_at:
            self.release()
        elif more and chance.random() < 0.01 and not self.on.get("held"):
            self.press(at)

    def press(self, at: int) -> None:
        self.rig.client({"type": "input_audio_buffer.clear"})
        self.rig.far.speaking = True  # from here on it wants to be asked for no answer
        self.down_at, self.stops_at = self.rig.spoken, at + self.chance.choice([20, 60, 100, 300, 900])

    def release(self) -> None:
        rig, down_at = self.rig, self.down_at
        assert down_at is not None
        before = len(rig.told("error"))
        if rig.call.talk.held < LEAST_SAMPLES:
            rig.far.speaking = False  # a tap
        rig.client({"type": "input_audio_buffer.commit"})
        refused = [event for event in rig.told("error")[before:] if event["error"]["code"] == EMPTY]
        if not refused:
            self.said.append((down_at, rig.spoken))
            self.wanted = self.chance.random() < 0.8
            if self.wanted:
                rig.client({"type": "response.create"})
        self.down_at = None

    def act(self) -> None:
        rig, chance = self.rig, self.chance
        kind = chance.choice(["mute", "pause", "hold", "mode", "write", "cancel", "clear", "switch", "say"])
        switches = {
            "mute": ("rtbridge.input_audio.mute", "muted"),
            "pause": ("rtbridge.output_audio.pause", "paused"),
            "hold": ("rtbridge.call.hold", "held"),
        }
        match kind:
            case "mute" | "pause" | "hold":
                event, key = switches[kind]
                self.on[key] = not self.on.get(key, False)
                rig.client({"type": event, key: self.on[key]})
            case "mode" if rig.call.talk.button in (Button.OFF, Button.OPEN, Button.UP):
                self.by_hand = not self.by_hand
                rig.client(BY_HAND if self.by_hand else BY_VAD)
            case "write":
                item_id = rig.far.new_id("item")
                rig.write("and this", item_id)
                self.turns[item_id] = True
            case "cancel":
                rig.client({"type": "response.cancel"})
            case "clear":
                rig.client({"type": "output_audio_buffer.clear"})
                self.wanted = False
                self.superseded()
            case "switch":
                rig.client({"type": "rtbridge.agent.switch", "agent": chance.choice(["greeter", "poet"])})
                self.wanted = False  # what was wanted of the one is not wanted of the other
                self.superseded()
            case "say":
                rig.far.speaking = False

    def settle(self) -> None:
        """Let everything go that is held."""
        for event, key in (
            ("rtbridge.input_audio.mute", "muted"),
            ("rtbridge.output_audio.pause", "paused"),
            ("rtbridge.call.hold", "held"),
        ):
            self.on[key] = False
            self.rig.client({"type": event, key: False})


def one_call(seed: int) -> None:
    chance = random.Random(seed)
    far = FarUpstream(
        speedup=chance.choice([1.1, 3, 8]),
        cancel_delay_ms=chance.choice([0, 0, 40, 300]),
        ack_delay_ms=chance.choice([0, 0, 40, 300]),
        birth_delay_ms=chance.choice([0, 0, 60, 400]),
        commit_delay_ms=chance.choice([0, 0, 60, 400]),
        keeps_tool_choice=True,
    )
    rig = NumberedRig(far=far, plan=PLAN)
    moody = seed % 3 == 0
    for _ in range(60):
        far.answers.append(list(chance.choice(MOODS if moody and chance.random() < 0.15 else ANSWERS)))
    rig.client(BY_HAND)
    caller = ByHand(rig, chance, moody)
    at = 0
    while at < 5_000 or caller.down_at is not None:
        caller.step(at, more=at < 5_000)
        at += 20
    caller.settle()
    far.answers.clear()
    far.answers.extend([[Say("Yes.", 300)]] * 20)
    arbiter = rig.call.arbiter
    while (
        caller.tools
        or caller.switches
        or rig.turn() is not State.LISTENING
        or arbiter.busy
        or not arbiter.configured
        or rig.call.talk.pressed
    ):
        assert at < 90_000, (
            f"no peace: {rig.turn()}, {arbiter.active}, {rig.call.tools}, {rig.call.talk.button}"
        )
        caller.step(at, more=False)
        at += 20
    caller.step(at, more=False)
    check(rig, caller, moody=moody)


def check(rig: NumberedRig, caller: ByHand, *, moody: bool) -> None:
    far = rig.far
    assert set(far.errors) <= BENIGN - {ALREADY_ACTIVE} or (moody and set(far.errors) <= BENIGN)
    assert rig.entries(journal.TurnIgnored) == []
    assert rig.call.speech.playout.playing is None
    assert far.active is None
    assert not rig.hangups
    spans = [spans_of(turn) for turn in far.turns]
    known = [span for turn in spans for span in turn]
    assert known == sorted(known)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(known)), "a sample in two turns"
    if all(spans):  # of a muted turn nobody knows where it was
        for first, end in caller.said:
            assert any(span[0] <= first and end <= span[1] for span in known), f"{first}-{end} is in no turn"
    allowed = [(max(0, first - BEFORE_SAMPLES), end + TAIL_SAMPLES) for first, end in caller.said]
    for span in known:
        inside = [one for one in allowed if one[0] < span[1] and span[0] < one[1]]
        assert inside, f"{span} was said by nobody with the button down"
        assert min(one[0] for one in inside) <= span[0]
        assert span[1] <= max(one[1] for one in inside)
    answered = {item_id for context in far.contexts for item_id in context}
    for item_id, due in caller.turns.items():
        assert item_id in far.items
        assert item_id in answered or not due, f"{item_id} was never answered"
    for item_id, item in far.items.items():
        if item.role == "assistant" and item.done:
            heard_ms = rig.heard.count(item_id) * 20
            kept_ms = item.audio_ms if item.truncated_ms is None else item.truncated_ms
            assert kept_ms <= heard_ms, f"{item_id}: {kept_ms} ms in context, {heard_ms} ms heard"


def spans_of(turn: bytes) -> list[tuple[int, int]]:
    """Return which of the caller's samples a turn is made of; what is silent in it was muted. None for silence.

    It is more than one stretch where two turns had to wait for a session and became one.
    """
    samples = np.frombuffer(turn, "<i2").astype(np.int64)
    (places,) = np.nonzero((samples[:-1] > 0) & (samples[1:] < 0))
    if not len(places):
        return []
    offsets = (-samples[places + 1] - 1) * BLOCK + 2 * (samples[places] - 1) - places
    assert (np.diff(offsets) >= 0).all(), "a sample was said twice"
    jumps = np.nonzero(np.diff(offsets))[0] + 1
    firsts = [0, *places[jumps].tolist()]
    ends = [*firsts[1:], len(samples)]
    shifts = offsets[[0, *jumps.tolist()]].tolist()
    return [(first + shift, end + shift) for first, end, shift in zip(firsts, ends, shifts, strict=True)]


@pytest.mark.no_cover
def test_any_schedule_of_presses_loses_no_sample_and_leaks_none(count: Count) -> None:
    for seed in range(count(150, 5_000)):
        try:
            one_call(seed)
        except AssertionError as failure:
            failure.add_note(f"seed {seed}")
            raise
