"""Turn detection: chosen by the caller's side, obeyed here, and told upstream without its two teeth."""

from __future__ import annotations

from typing import Any

import pytest

from rig import SESSION, Rig
from rtbridge.core import asks
from rtbridge.core.detection import TurnDetection
from rtbridge.core.plan import Plan


@pytest.mark.parametrize(
    ("value", "creates", "interrupts", "silence_ms"),
    [
        (None, False, True, 0),
        ({"type": "server_vad"}, True, True, 500),
        ({"type": "server_vad", "silence_duration_ms": 300}, True, True, 300),
        ({"type": "server_vad", "silence_duration_ms": None, "create_response": None}, True, True, 500),
        ({"type": "semantic_vad", "create_response": False}, False, True, 0),
        ({"type": "semantic_vad", "interrupt_response": False}, True, False, 0),
    ],
)
def test_what_was_chosen_is_what_is_done(
    value: Any, creates: bool, interrupts: bool, silence_ms: int
) -> None:
    detection = TurnDetection()
    assert detection.choose(value)
    assert not detection.choose(value)
    assert (detection.creates, detection.interrupts, detection.silence_ms) == (
        creates,
        interrupts,
        silence_ms,
    )


def test_the_upstream_never_answers_or_interrupts_by_itself() -> None:
    detection = TurnDetection()
    detection.choose({"type": "server_vad", "threshold": 0.4, "create_response": True})
    assert detection.upstream() == {
        "type": "realtime",
        "audio": {
            "input": {
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.4,
                    "create_response": False,
                    "interrupt_response": False,
                }
            }
        },
    }
    detection.choose(None)
    assert detection.upstream()["audio"]["input"]["turn_detection"] is None


def test_the_demo_engine_is_asked_for_the_callers_words_while_they_speak() -> None:
    rig = Rig(plan=Plan("rtc_1", "demo", "greeter", demo=True), go=False)
    listening = {**SESSION["audio"]["input"], "transcription": {"model": "whisper"}}
    rig.ask(asks.ConfigureSession({**SESSION, "audio": {"input": listening}}))
    (update,) = rig.sent("session.update")
    assert update["session"]["audio"]["input"]["transcription"] == {"model": "whisper", "delay": "minimal"}
