"""From appended audio to committed items: turns, commits, silence, transcripts."""

from __future__ import annotations

import base64

import numpy as np

from hand_fed import PUSH_TO_TALK, VAD, Client, error_of
from rtbridge.engine.hearing import LONGEST_AHEAD
from rtbridge.engine.outbox import Listen, Transcribe
from scripted_engine import silence, speech


def test_a_spoken_turn_gives_the_events_of_the_api_in_their_order() -> None:
    client = Client(
        audio={
            "input": {
                "turn_detection": {
                    "type": "server_vad",
                    "silence_duration_ms": 200,
                    "prefix_padding_ms": 100,
                },
                "transcription": {"model": "whisper-1"},
            }
        }
    )
    found = client.append(silence(1_000) + speech("hello there", 600) + silence(400))
    assert client.types(found) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped, committed, added, *_ = found
    assert started["audio_start_ms"] == 900
    assert stopped["audio_end_ms"] == 1_800  # includes the silence that ended the turn
    assert {started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"]} == {
        added["item"]["id"]
    }
    (job,) = client.jobs
    assert isinstance(job, Transcribe)
    assert len(job.pcm) == 900 * 48
    found = client.hear_all("hello there")
    assert client.types(found) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert "".join(event["delta"] for event in found[:-1]) == found[-1]["transcript"] == "hello there"
    assert found[-1]["usage"] == {"type": "duration", "seconds": 0.9}
    assert client.respond().turn.items[-1]["content"][0]["transcript"] == "hello there"


PATIENT = {"audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}}}}


def test_the_ears_begin_in_a_pause_and_hear_the_same_audio_when_it_is_the_end() -> None:
    client = Client(**PATIENT)
    client.append(speech("hello there", 600) + silence(250))
    (ahead,) = client.jobs
    assert isinstance(ahead, Listen)
    assert len(ahead.pcm) == (600 + 500) * 48
    client.append(silence(300))
    _, asked = client.jobs
    assert isinstance(asked, Transcribe)
    assert asked.pcm == ahead.pcm
    assert client.conversation.context()[0].samples == (600 + 500) * 24  # the item is all of it


def test_a_soft_last_word_that_the_gate_takes_for_silence_is_heard_all_the_same() -> None:
    client = Client(**PATIENT)
    soft = np.full(200 * 24, 400, "<i2").tobytes()
    client.append(speech("hello there", 600) + silence(250) + soft + silence(100))
    asked = client.jobs.pop()
    assert isinstance(asked, Transcribe)
    assert asked.pcm == speech("hello there", 600) + silence(250) + soft + silence(50)


def test_who_goes_on_after_a_pause_is_heard_from_the_beginning() -> None:
    client = Client(**PATIENT)
    client.append(speech("hello there", 600) + silence(300) + speech("yes please", 400) + silence(600))
    first, second, asked = client.jobs
    assert isinstance(first, Listen)
    assert isinstance(second, Listen)
    assert isinstance(asked, Transcribe)
    assert (
        asked.pcm
        == second.pcm
        == speech("hello there", 600) + silence(300) + speech("yes please", 400) + silence(500)
    )


def test_long_speech_is_not_heard_anew_at_each_of_its_pauses() -> None:
    client = Client(**PATIENT)
    client.append((speech("hello there", 5_000) + silence(300)) * 4 + silence(300))
    asked = client.jobs.pop()
    assert isinstance(asked, Transcribe)
    assert LONGEST_AHEAD == 15_000 * 24
    assert [len(job.pcm) // 48 for job in client.jobs if isinstance(job, Listen)] == [5_500, 10_800]
    assert len(asked.pcm) == (3 * 5_300 + 5_500) * 48


def test_turn_detection_that_is_changed_in_the_middle_of_speech_after_a_pause_loses_none_of_it() -> None:
    client = Client(**PATIENT)
    client.append(speech("hello there", 600) + silence(300) + speech("yes please", 400))
    client.update(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}}})
    asked = client.jobs.pop()
    assert isinstance(asked, Transcribe)
    assert len(asked.pcm) == (600 + 300 + 400) * 48


def test_the_edges_are_the_same_however_the_audio_is_cut() -> None:
    pcm = silence(500) + speech("hello there", 500) + silence(700) + speech("yes please", 300) + silence(300)
    quiet = {
        "audio": {
            "input": {
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 200, "create_response": False}
            }
        }
    }
    found = []
    for size in (len(pcm), 960, 4_802):
        client = Client(**quiet)
        for start in range(0, len(pcm), size):
            client.append(pcm[start : start + size])
        found.append([(job.item_id, job.pcm) for job in client.jobs if isinstance(job, Transcribe)])
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 2


def test_without_transcription_the_engine_still_hears_but_says_nothing_of_it() -> None:
    client = Client(**VAD)
    client.append(speech("hello there") + silence(300))
    assert client.hear_all("hello there") == []
    assert client.respond().turn.items[-1]["content"][0]["transcript"] == "hello there"
    (retrieved,) = client.send("conversation.item.retrieve", item_id=client.items()[0])
    assert retrieved["item"]["content"][0]["transcript"] is None


def test_ears_that_fail_are_reported_and_do_not_hold_the_answer_up() -> None:
    client = Client(
        audio={
            "input": {
                "transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 200},
            }
        }
    )
    client.append(speech("hello there") + silence(300))
    job = client.jobs.pop()
    assert isinstance(job, Transcribe)
    client.conversation.hearing.transcription_failed(job.item_id, "no model")
    (failed,) = client.take()
    assert failed["error"]["message"] == "no model"
    assert client.respond().turn.items[-1]["content"][0]["transcript"] == ""


def test_create_response_false_leaves_the_answer_to_the_client() -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 200, "create_response": False}
    client = Client(audio={"input": {"turn_detection": detection}})
    found = client.append(speech("hello there") + silence(300))
    assert client.types(found)[-1] == "conversation.item.done"
    client.hear_all()
    assert client.jobs == []


def test_speech_interrupts_the_active_response_unless_told_not_to() -> None:
    client = Client(**VAD)
    client.say(finish=False)
    found = client.append(speech("hello there", 100))
    assert client.types(found) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = found[-2]["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert found[-3]["item"]["status"] == "incomplete"
    assert found[-3]["item"]["content"][0]["transcript"] == "one two three four"

    detection = {"type": "server_vad", "silence_duration_ms": 200, "interrupt_response": False}
    patient = Client(audio={"input": {"turn_detection": detection}})
    patient.say(finish=False)
    found = patient.append(speech("hello there") + silence(300))
    assert patient.types(found)[0] == "input_audio_buffer.speech_started"
    assert patient.types(found)[-1] == "error"
    assert found[-1]["error"]["code"] == "conversation_already_has_active_response"
    assert found[-1]["error"]["event_id"] is None


def test_push_to_talk_commits_by_hand_and_answers_when_asked() -> None:
    client = Client(**PUSH_TO_TALK)
    assert client.append(speech("hello there") + silence(2_000)) == []
    found = client.send("input_audio_buffer.commit")
    assert client.types(found) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert error_of(client.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


def test_less_than_100_ms_is_not_enough_to_commit_and_stays_in_the_buffer() -> None:
    client = Client(**PUSH_TO_TALK)
    client.append(silence(99))
    assert "only has 99.00ms" in error_of(client.send("input_audio_buffer.commit"))["message"]
    client.append(silence(1))
    assert client.types(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_cleared_audio_is_never_heard() -> None:
    client = Client(**VAD)
    client.append(speech("hello there"))
    assert client.types(client.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert client.append(silence(1_000)) == []
    assert client.jobs == []


def test_the_input_buffer_is_bounded_and_says_so() -> None:
    client = Client(**PUSH_TO_TALK)
    minute = base64.b64encode(silence(60_000)).decode()
    for _ in range(15):
        assert client.send("input_audio_buffer.append", audio=minute) == []
    assert error_of(client.append(silence(20)))["code"] == "input_audio_buffer_full"
    client.send("input_audio_buffer.clear")
    assert client.append(silence(20)) == []


def test_the_same_turn_detection_again_leaves_speech_in_progress_alone() -> None:
    client = Client(**VAD)
    client.append(speech("hello there", 300))
    assert client.types(client.update(instructions="other", **VAD)) == ["session.updated"]
    assert client.types(client.append(silence(300)))[0] == "input_audio_buffer.speech_stopped"


def test_other_turn_detection_in_the_middle_of_speech_ends_it_for_the_client() -> None:
    client = Client(**VAD)
    client.append(speech("hello there", 300))
    found = client.update(**PUSH_TO_TALK)
    assert client.types(found) == ["input_audio_buffer.speech_stopped", "session.updated"]
    assert client.types(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_other_settings_of_turn_detection_in_the_middle_of_speech_make_it_a_turn() -> None:
    client = Client(**VAD)
    client.append(speech("hello there", 300))
    turn_detection = {"type": "server_vad", "silence_duration_ms": 700, "create_response": False}
    found = client.types(client.update(audio={"input": {"turn_detection": turn_detection}}))
    assert found[:2] == ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
    assert "input_audio_buffer.committed" not in client.types(client.append(silence(900)))


def test_an_idle_caller_is_noticed_by_samples_after_the_answer_has_been_played() -> None:
    detection = {"type": "server_vad", "idle_timeout_ms": 5_000}
    client = Client(audio={"input": {"turn_detection": detection}})
    client.append(silence(1_000))
    client.say()  # 400 ms
    assert client.append(silence(5_390)) == []
    found = client.append(silence(20))
    assert client.types(found) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert (found[0]["audio_start_ms"], found[0]["audio_end_ms"]) == (1_400, 6_400)


def test_deleting_what_the_ears_are_still_at_lets_the_answer_begin() -> None:
    client = Client(**VAD)
    client.append(speech("hello there") + silence(300))
    (job,) = client.jobs
    assert isinstance(job, Transcribe)
    client.jobs.clear()
    client.send("conversation.item.delete", item_id=job.item_id)
    assert client.respond().turn.items == []
    client.conversation.hearing.transcribed(job.item_id, "too late")
    client.conversation.hearing.transcription_failed(job.item_id, "too late")
    assert client.take() == []


def early(delay: str | None) -> Client:
    heard = {"turn_detection": VAD["audio"]["input"]["turn_detection"]}
    return Client(audio={"input": {**heard, "transcription": {"model": "whisper-1", "delay": delay}}})


def test_whoever_does_not_want_to_wait_is_told_words_while_speech_goes_on_and_each_once() -> None:
    client = early("minimal")
    client.append(speech("hello there", 20))
    client.append(speech("hello there", 300))
    assert client.jobs == []
    client.append(speech("hello there", 60))
    (job,) = client.jobs
    assert isinstance(job, Transcribe)
    assert job.early
    client.jobs.clear()
    hearing = client.conversation.hearing
    hearing.heard_early(job.item_id, "Hello there.")
    kind = "conversation.item.input_audio_transcription.delta"
    assert [event["delta"] for event in client.take() if event["type"] == kind] == ["Hello", " there"]
    client.append(speech("hello there", 400) + silence(300))
    (whole,) = client.jobs
    assert isinstance(whole, Transcribe)
    assert not whole.early
    hearing.transcribed(whole.item_id, "Hello there, you.")
    told = client.take()
    assert [event["delta"] for event in told if event["type"] == kind] == [",", " you."]
    assert told[-1]["transcript"] == "Hello there, you."
    hearing.heard_early(whole.item_id, "too late")
    assert client.take() == []


def test_words_that_were_not_so_are_put_right_by_the_whole() -> None:
    client = early("low")
    client.append(speech("hello there", 20))
    client.append(speech("hello there", 400))
    (job,) = client.jobs
    assert isinstance(job, Transcribe)
    client.jobs.clear()
    client.conversation.hearing.heard_early(job.item_id, "Yellow")
    client.append(silence(300))
    client.take()
    client.conversation.hearing.transcribed(job.item_id, "Hello there.")
    assert next(event["type"].rsplit(".", 1)[1] for event in client.take()) == "completed"


def test_whoever_says_nothing_of_a_delay_is_told_words_at_the_end() -> None:
    client = early(None)
    client.append(speech("hello there", 20))
    client.append(speech("hello there", 600))
    assert client.jobs == []
