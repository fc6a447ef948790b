"""What the upstream says: a plain turn, its errors, and everything that is malformed, unknown or not there."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from conftest import Count
from replay_rig import tone
from rig import SESSION, Fail, FarUpstream, Rig, Say, Use
from rtbridge.core import asks, function_calls, journal, pcm
from rtbridge.core.turns import State

Wire = dict[str, Any]


def test_a_plain_turn_is_heard_timed_and_told_in_order() -> None:
    rig = Rig()
    rig.far.answers.append([Say("Good morning.", 600)])
    rig.speak(text="hello there")
    rig.advance(1200)
    (heard,) = [entry for entry in rig.journal if isinstance(entry, journal.ItemHeard)]
    assert (heard.heard_ms, heard.heard_text) == (600, "Good morning.")
    (turn,) = [entry for entry in rig.journal if isinstance(entry, journal.TurnEnded)]
    assert turn.endpoint_ms == 500, "server_vad waited for silence_duration_ms of silence"
    assert turn.respond_ms == sum(turn.as_dict()[part] for part in journal.LATENCY_PARTS)
    told = [event["type"] for event in rig.to_caller]
    order = [
        "session.created",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.committed",
        "response.created",
        "output_audio_buffer.started",
        "response.done",
        "output_audio_buffer.stopped",
    ]
    assert sorted(order, key=told.index) == order
    assert not any(kind.endswith("output_audio.delta") for kind in told)


def test_a_first_session_that_is_refused_ends_the_call_with_the_upstreams_words() -> None:
    rig = Rig(go=False, far=FarUpstream(ack_delay_ms=1000))
    rig.ask(asks.ConfigureSession(SESSION))
    (update,) = rig.sent("session.update")
    error = {"code": "missing_required_parameter", "message": "no such voice", "event_id": update["event_id"]}
    rig.upstream({"type": "error", "error": error})
    assert rig.hangups == ["the upstream refused the session: no such voice"]
    assert rig.call.deadline() is None


def test_errors_are_journaled_as_races_or_as_trouble_and_only_trouble_reaches_the_agents() -> None:
    rig = Rig()
    for code in ("response_cancel_not_active", "server_error"):
        rig.upstream({"type": "error", "error": {"code": code, "message": "m"}})
    rig.upstream({"type": "error", "error": "junk"})
    rig.upstream({"type": "error", "error": {"type": "invalid_request_error", "event_id": ["junk"]}})
    erred = [entry for entry in rig.journal if isinstance(entry, journal.UpstreamErred)]
    assert [(entry.code, entry.benign) for entry in erred] == [
        ("response_cancel_not_active", True),
        ("server_error", False),
        ("unknown", False),
        ("invalid_request_error", False),
    ]
    assert len([event for event in rig.to_agents if event["type"] == "error"]) == 3


def test_an_error_between_the_end_of_speech_and_its_commit_does_not_end_the_turn() -> None:
    rig = Rig()
    rig.start_speaking()
    rig.upstream({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 0})
    rig.upstream({"type": "error", "error": {"code": "server_error"}})
    assert rig.turn() is State.THINKING


def test_an_idle_timeout_is_answered_like_a_turn() -> None:
    rig = Rig()
    rig.upstream({"type": "input_audio_buffer.timeout_triggered", "item_id": "u"})
    rig.upstream({"type": "input_audio_buffer.committed", "item_id": "u"})
    assert rig.creates == 1


def delta(rig: Rig, payload: Any, **changes: Any) -> Wire:
    rid = rig.call.arbiter.active.response_id if rig.call.arbiter.active else "none"
    return {
        "type": "response.output_audio.delta",
        "response_id": rid,
        "item_id": "a",
        "content_index": 0,
        "delta": payload,
        **changes,
    }


@pytest.mark.parametrize("payload", ["no base64!", "AAAA", "é", 7, {"a": 1}])
def test_audio_that_is_not_base64_of_whole_samples_is_dropped_and_journaled(payload: Any) -> None:
    rig = Rig()
    rig.speak()
    rig.upstream(delta(rig, payload))
    assert rig.entries(journal.UpstreamErred) == [
        journal.UpstreamErred("invalid_audio", "audio of a is not base64 s16le", benign=False)
    ]
    assert not rig.call.speech.playout.holds("a")


def test_audio_without_content_index_or_item_added_still_plays() -> None:
    rig = Rig()
    rig.speak()
    rig.upstream(delta(rig, base64.b64encode(bytes(960)).decode(), content_index=None))
    rig.upstream(delta(rig, ""))
    assert rig.call.speech.playout.queued_samples == 480


def test_audio_beyond_ten_minutes_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtbridge.core.playout.MAX_QUEUED_SAMPLES", 480)
    rig = Rig()
    rig.speak()
    rig.upstream(delta(rig, base64.b64encode(bytes(1920)).decode()))
    assert journal.AudioDropped("playout", 20) in rig.journal


def test_a_beta_servers_items_are_told_once() -> None:
    rig = Rig()
    item = {"id": "u", "type": "message", "role": "user", "content": []}
    for kind in ("conversation.item.created", "conversation.item.added", "conversation.item.done"):
        rig.upstream({"type": kind, "item": item})
    assert [event["type"] for event in rig.told("conversation.item.added")] == ["conversation.item.added"]


def test_what_is_said_of_an_item_that_was_never_added_changes_no_other() -> None:
    rig = Rig()
    rig.upstream({"type": "conversation.item.done", "item": {"id": "nobody"}})
    rig.upstream({"type": "response.created", "response": {}})
    assert rig.call.arbiter.active is None
    kind = "conversation.item.input_audio_transcription.completed"
    rig.upstream({"type": kind, "item_id": "nobody", "transcript": " hi "})
    assert rig.entries(journal.CallerSaid) == [journal.CallerSaid("nobody", "hi")]
    assert list(rig.call.speech.transcript) == []


def test_a_function_call_without_a_name_or_an_id_is_not_run_and_nobody_waits_for_it() -> None:
    rig = Rig()
    rig.speak()
    active = rig.call.arbiter.active
    assert active is not None
    for item in ({"call_id": "c"}, {"name": "n"}, {"call_id": "", "name": "n"}):
        rig.upstream(
            {
                "type": "response.output_item.done",
                "response_id": active.response_id,
                "item": {"type": "function_call", **item},
            }
        )
    unfinished = {"type": "function_call", "call_id": "c", "name": "n", "status": "incomplete"}
    rig.upstream({"type": "response.output_item.done", "response_id": active.response_id, "item": unfinished})
    assert active.calls == set()
    assert len(rig.entries(journal.UpstreamErred)) == 3


def test_open_tool_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert function_calls.MAX_OPEN_CALLS >= 64
    monkeypatch.setattr("rtbridge.core.function_calls.MAX_OPEN_CALLS", 2)
    rig = Rig()
    rig.far.answers.append([Use("a"), Use("b"), Use("c")])
    rig.speak()
    rig.advance(60)
    assert [name for name, _, _ in rig.call.tools.values()] == ["b", "c"]


def test_where_our_own_ear_heard_nothing_the_upstream_says_when_speech_ended() -> None:
    for end_ms, waited in (("junk", None), (float("inf"), None), (10**9, None), (0, 500)):
        rig = Rig()
        rig.begin_sound()
        rig.upstream({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": end_ms})
        rig.far.speaking = False
        rig.upstream({"type": "input_audio_buffer.committed"})
        rig.advance(200)
        (turn,) = [entry for entry in rig.journal if isinstance(entry, journal.TurnEnded)]
        assert turn.endpoint_ms == waited


def test_the_end_of_speech_is_what_our_own_ear_says_unless_there_was_a_noise_since() -> None:
    for silent_ms, detection, end, waited in (
        (340, {}, True, 340),
        (620, {}, True, 620),
        (900, {}, True, 900),  # the upstream was not sure for a while
        (100, {}, True, 500),
        (900, {}, False, 900),
        (900, {"type": "semantic_vad"}, True, 900),
        (100, {"type": "semantic_vad"}, True, 100),
    ):
        rig = Rig()
        if detection:
            session = {"audio": {"input": {"turn_detection": detection}}}
            rig.client({"type": "session.update", "session": session})
        rig.start_speaking()
        rig.call.hear(tone(400), rig.now)
        rig.call.hear(pcm.silence(pcm.samples_of_ms(silent_ms)), rig.now)
        end_ms = pcm.ms_of_samples(rig.call.uplink.sent_samples)
        told = {"audio_end_ms": end_ms} if end else {}
        rig.upstream({"type": "input_audio_buffer.speech_stopped", **told})
        rig.far.speaking = False
        rig.upstream({"type": "input_audio_buffer.committed"})
        rig.advance(200)
        (turn,) = [entry for entry in rig.journal if isinstance(entry, journal.TurnEnded)]
        assert (turn.endpoint_ms, turn.commit_ms) == (waited, 0)


def test_a_turn_that_a_client_commits_by_hand_is_timed_from_the_end_of_the_voice() -> None:
    rig = Rig()
    rig.client({"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}})
    rig.call.hear(tone(400), rig.now)
    rig.call.hear(pcm.silence(pcm.samples_of_ms(150)), rig.now)
    rig.client({"type": "input_audio_buffer.commit"})
    rig.client({"type": "response.create"})
    rig.advance(200)
    (turn,) = [entry for entry in rig.journal if isinstance(entry, journal.TurnEnded)]
    tail_ms = 160  # a commit by hand waits for the tail of what was said
    assert (turn.endpoint_ms, turn.commit_ms, turn.request_ms) == (150, tail_ms, 0)


def test_text_answers_are_kept_like_spoken_ones() -> None:
    rig = Rig()
    rig.speak()
    active = rig.call.arbiter.active
    assert active is not None
    ids = {"response_id": active.response_id, "item_id": "t"}
    item = {
        "id": "t",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": ""}],
    }
    rig.upstream({"type": "conversation.item.added", "item": item})
    rig.upstream({"type": "response.output_text.delta", **ids, "delta": "Hel"})
    rig.upstream({"type": "response.output_text.done", **ids, "text": "Hello"})
    entry = rig.call.speech.transcript.get("t")
    assert entry is not None
    assert (entry.text, entry.unheard) == ("Hello", "")
    assert rig.entries(journal.AgentSaid) == [journal.AgentSaid("t", "greeter", "Hello")]


def test_no_malformed_server_event_can_raise(count: Count) -> None:
    seen: list[Wire] = []
    rig = Rig()
    rig.far.answers.extend([[Say("Hello.", 300), Use("look_up")], [Fail()]])
    original = rig.upstream

    def listen(*events: Wire) -> None:
        seen.extend(events)
        original(*events)

    rig.upstream = listen  # type: ignore[method-assign]
    rig.speak()
    rig.advance(600)
    seen += [
        {"type": "session.updated", "session": SESSION},
        {"type": "error", "error": {"code": "c", "event_id": "e"}},
    ]
    chance = random.Random(1)
    junk: list[Any] = [None, 7, -1.5, "", "x", [], ["x"], {}, {"id": []}, True, float("nan"), 10**30]

    def spoil(value: Any) -> Any:
        if isinstance(value, dict) and value and chance.random() < 0.8:
            key = chance.choice(list(value))
            if chance.random() < 0.2:
                return {name: below for name, below in value.items() if name != key}
            return {**value, key: spoil(value[key])}
        return chance.choice(junk)

    for _ in range(count(3_000, 30_000)):
        spoiled = spoil(json.loads(json.dumps(chance.choice(seen[:400]))))
        if isinstance(spoiled, dict):  # the port skips what is not a JSON object
            rig.upstream(spoiled)
        if chance.random() < 0.02:
            rig.advance(20)
