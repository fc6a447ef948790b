"""The planted defects: for each, one change of the bridge and the quickest tests that must tell of it.

A line that a change of the code makes stale is told by test_mutations.py: `old` stands exactly once in its file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Mutation:
    """One planted defect."""

    name: str  # what is wrong with the bridge, in words
    file: str  # in rtbridge/
    old: str
    new: str
    tests: tuple[str, ...]  # pytest node ids in tests/; at least one of them must fail, by an assertion


MUTATIONS: Final = (
    # -- guardrails before the ear ------------------------------------------------------------------------
    Mutation(
        "gate ignored after the first sentence",
        "core/guarding.py",
        "        call.speech.playout.limit(item_id, reach)\n",
        "        call.speech.playout.limit(item_id, None if reach else 0)\n",
        (
            "core/test_guarding.py::test_what_is_not_cleared_in_time_waits_in_silence_and_goes_on_at_the_sample",
        ),
    ),
    Mutation(
        "a verdict on a later sentence clears what is before it",
        "core/gate.py",
        "[one for one in self._ahead if one <= self.cleared]",
        "list(self._ahead)",
        ("core/test_gate.py::test_text_is_cleared_from_its_beginning_and_without_holes",),
    ),
    Mutation(
        "what could not be checked is played",
        "core/guarding.py",
        'elif verdict.state == "fail" or guarded.policy == "gate":',
        'elif verdict.state == "fail":',
        (
            "core/test_guarding.py::test_what_could_not_be_checked_is_not_heard_and_a_safe_phrase_is_said_at_once",
        ),
    ),
    Mutation(
        "the model is corrected in the caller's name",
        "core/guarding.py",
        '"role": "system"',
        '"role": "user"',
        (
            "core/test_guarding.py::"
            "test_flagged_words_are_never_heard_and_the_model_is_told_by_the_system_and_answers_again",
        ),
    ),
    Mutation(
        "flagged words leave for the page",
        "core/withheld.py",
        "            cut[item_id] = call.speech.ledger.text(item_id)[:cleared]\n",
        "            pass\n",
        (
            "core/test_guarding.py::test_a_barge_in_shows_no_more_than_was_cleared_and_an_item_can_be_read_as_far",
        ),
    ),
    Mutation(
        "what was cleared and not heard is truncated as if it had been",
        "core/interruption.py",
        "            _truncate(call, cut.item_id, cut.content_index, cut.heard.heard_ms)\n",
        "            if call.gate.get(cut.item_id) is None:\n"
        "                _truncate(call, cut.item_id, cut.content_index, cut.heard.heard_ms)\n",
        (
            "core/test_guarding_while_deciding.py::"
            "test_after_a_fail_that_the_caller_cut_short_the_model_keeps_what_was_heard_and_answers_the_caller",
        ),
    ),
    Mutation(
        "a safe phrase is said while it is decided, and the caller is talked over",
        "core/arbiter.py",
        "        if free := quiet and self.configured and not self.caller_speaking and self._barred_since is None:",
        "        if free := quiet and self.configured and self._barred_since is None:",
        (
            "core/test_guarding_while_deciding.py::"
            "test_no_safe_phrase_is_said_into_the_words_of_who_meant_to_interrupt",
        ),
    ),
    Mutation(
        "speech without a transcript silences the agent and nobody is told",
        "core/ledger.py",
        "        return line.samples > 0 and not line.text.strip()\n",
        "        return False\n",
        (
            "core/test_guarding_wordless.py::"
            "test_what_has_no_transcript_is_not_heard_and_the_operator_is_told_once_why_and_what_to_do",
        ),
    ),
    # -- barge-in -----------------------------------------------------------------------------------------
    Mutation(
        "late flush: the agent is yielded to after 800 ms",
        "core/deciding.py",
        "DECIDE_WITHIN_S: Final = 0.4\n",
        "DECIDE_WITHIN_S: Final = 0.8\n",
        ("core/test_deciding.py::test_a_word_without_a_transcript_is_meant",),
    ),
    Mutation(
        "the agent talks on while it is decided whether it is interrupted",
        "core/call.py",
        "        self.speech.playout.held = self.turns.state is State.DECIDING\n",
        "        self.speech.playout.held = False\n",
        ("core/test_deciding.py::test_the_agent_is_silent_at_once_and_its_words_are_kept",),
    ),
    Mutation(
        "resume from the wrong sample: a frame is lost",
        "core/deciding.py",
        "    call.move(Cause.FALSE_ALARM, now)\n",
        "    call.move(Cause.FALSE_ALARM, now)\n    call.speech.playout.pull(pcm.FRAME_SAMPLES)\n",
        (
            "core/test_deciding.py::"
            "test_a_cough_is_dismissed_resumed_at_the_sample_and_taken_out_of_what_the_upstream_heard",
        ),
    ),
    Mutation(
        "a cough becomes a user turn",
        "core/deciding.py",
        "    ours = deciding.dismissed and deciding.over\n",
        "    ours = False\n",
        (
            "core/test_deciding.py::"
            "test_a_cough_that_was_committed_before_it_was_quiet_for_long_never_becomes_a_turn",
        ),
    ),
    Mutation(
        "the agent yields to its own voice",
        "core/barge_in.py",
        "    if sound.span_ms and likeness >= ECHO + doubt:",
        "    if sound.span_ms and likeness >= 2:",
        ("core/test_deciding.py::test_the_agents_own_voice_is_an_echo_and_once_known_costs_no_pause",),
    ),
    Mutation(
        "yes is no answer to a question",
        "core/deciding.py",
        '    if words.heard.rstrip().endswith("?"):',
        "    if not words.heard:",
        (
            "core/test_deciding.py::"
            "test_okay_means_go_on_in_the_middle_of_a_sentence_and_yes_is_an_answer_after_a_question",
        ),
    ),
    Mutation(
        "a legal line can be interrupted",
        "core/deciding.py",
        "    elif _protected(call):\n        deciding.waits = True\n",
        "    elif False:\n        deciding.waits = True\n",
        (
            "core/test_deciding.py::"
            "test_one_sentence_that_may_not_be_interrupted_makes_who_speaks_over_it_wait_for_its_end",
        ),
    ),
    # -- what was heard -----------------------------------------------------------------------------------
    Mutation(
        "heard counted from receipt",
        "core/speech.py",
        "            heard = self._end(progress, progress.pulled)\n",
        "            heard = self._end(progress, progress.pushed)\n",
        (
            "core/test_traps.py::test_trap_3_of_two_items_the_one_that_plays_is_cut_and_the_one_behind_it_deleted",
            "core/test_speech.py::test_a_flush_cuts_each_item_at_what_was_pulled_and_splits_its_words",
        ),
    ),
    Mutation(
        "wrong item: the one received last is truncated",
        "core/speech.py",
        "            cuts.append(Cut(progress.item_id, progress.content_index, heard))\n",
        "            cuts.append(Cut(list(self._items)[-1], progress.content_index, heard))\n",
        (
            "core/test_traps.py::test_trap_3_of_two_items_the_one_that_plays_is_cut_and_the_one_behind_it_deleted",
        ),
    ),
    Mutation(
        "what was not heard at all stays in the model's context",
        "core/interruption.py",
        "        else:\n            forget_unheard(call, cut.item_id)\n",
        "        else:\n            pass\n",
        (
            "core/test_traps.py::test_trap_3_of_two_items_the_one_that_plays_is_cut_and_the_one_behind_it_deleted",
            "core/test_traps.py::test_trap_4_nothing_played_is_deleted_and_never_truncated_at_zero",
        ),
    ),
    Mutation(
        "what is on its way to the caller counts as unheard",
        "core/speech.py",
        "            heard = self._end(progress, progress.pulled)\n",
        "            heard = self._end(progress, max(0, progress.pulled - pcm.samples_of_ms(80)))\n",
        (
            "core/test_traps.py::"
            "test_trap_4_what_is_on_its_way_to_the_caller_is_heard_and_never_more_than_was_pulled",
        ),
    ),
    Mutation(
        "off-by-one frame: a pull counts before it was heard",
        "core/playout.py",
        "            item.pulled += take\n",
        "            item.pulled += take if item.pulled else take + pcm.FRAME_SAMPLES\n",
        ("core/test_playout.py::test_a_flush_says_how_far_each_item_had_come_and_leaves_no_marks",),
    ),
    Mutation(
        "silence counts as heard",
        "core/playout.py",
        "                self.underruns += item.pulled > 0\n",
        "                self.underruns += item.pulled > 0\n                item.pulled += wanted\n",
        (
            "core/test_playout.py::"
            "test_an_item_that_has_begun_and_has_nothing_to_give_is_an_underrun_and_goes_on_later",
        ),
    ),
    Mutation(
        "words that were cut off are shown as heard",
        "core/ledger.py",
        "        return Words(line.text[:cut], line.text[cut:])\n",
        '        return Words(line.text, "")\n',
        ("core/test_ledger.py::test_with_word_times_a_word_is_heard_when_the_next_has_begun",),
    ),
    Mutation(
        "all text that has come is taken for heard with all audio that has",
        "core/ledger.py",
        "(timed or line.whole or not line.samples)",
        "True",
        (
            "core/test_ledger.py::"
            "test_of_text_that_runs_ahead_of_its_audio_no_more_is_heard_than_can_have_sounded",
        ),
    ),
    Mutation(
        "words lie along their sound without regard to its pauses",
        "core/alignment.py",
        "    without = 2.0 + min(4.0, 0.08 * (windows - PAUSE))\n",
        "    without = 0.0\n",
        ("core/test_alignment.py::test_a_sentence_that_is_said_slowly_still_ends_at_the_pause",),
    ),
    Mutation(
        "late audio of a cancelled answer is played",
        "core/server_events.py",
        "    if call.is_stale(response_id, item_id):\n        return False\n    try:\n",
        "    try:\n",
        ("core/test_traps.py::test_trap_2_an_item_that_a_cancelled_answer_begins_late_is_not_heard_either",),
    ),
    # -- one author ---------------------------------------------------------------------------------------
    Mutation(
        "an answer is asked for while the caller speaks",
        "core/arbiter.py",
        "not self._blocked and not self.caller_speaking and self._barred_since is None\n",
        "not self._blocked and self._barred_since is None\n",
        ("core/test_arbiter.py::test_trap_7_a_create_is_held_from_speech_started_to_committed",),
    ),
    Mutation(
        "a refused answer is never asked for again",
        "core/arbiter.py",
        "                    self._want = self._want or self._asked\n",
        "                    pass\n",
        (
            "core/test_arbiter.py::test_trap_8_a_refused_create_is_asked_again_when_the_other_response_is_done",
        ),
    ),
    Mutation(
        "an answer that nobody asked for talks over the caller",
        "core/arbiter.py",
        "        unwanted = self._cancel_at_birth or (not ours and self.caller_speaking)\n",
        "        unwanted = self._cancel_at_birth\n",
        ("core/test_arbiter.py::test_trap_6_a_response_that_nobody_asked_for_does_not_talk_over_the_caller",),
    ),
    # -- the waterfall ------------------------------------------------------------------------------------
    Mutation(
        "what the gate takes is blamed on the speaker",
        "core/latency.py",
        "            cleared_s + sounded.withheld_s,  # a silent beginning that the gate then held back\n",
        "            item.first_audio_s,\n",
        ("core/test_latency.py::test_a_delay_in_one_stage_is_told_of_that_stage_and_of_no_other",),
    ),
    Mutation(
        "the way to the wire takes no time",
        "core/latency.py",
        "            sounded.sound_s + wire_ms / 1000,\n",
        "            sounded.sound_s,\n",
        ("core/test_latency.py::test_a_delay_in_one_stage_is_told_of_that_stage_and_of_no_other",),
    ),
    Mutation(
        "a turn is timed from when it was found to be over, not from the last voiced sample",
        "core/latency.py",
        "            turn.over_s if turn.voice_end_s is None else turn.voice_end_s,\n",
        "            turn.over_s,\n",
        ("core/test_latency.py::test_the_parts_of_a_spoken_turn_add_up_to_what_the_caller_waited",),
    ),
    Mutation(
        "the rest of an earlier answer is timed as the answer",
        "core/latency.py",
        "        if turn is None or response.asked_s < turn.over_s or item_id in turn.items:\n",
        "        if turn is None or item_id in turn.items:\n",
        ("core/test_latency.py::test_what_was_asked_for_before_the_turn_was_over_answers_an_earlier_one",),
    ),
    # -- push to talk, hold -------------------------------------------------------------------------------
    Mutation(
        "the tail of push-to-talk is lost",
        "core/push_to_talk.py",
        "        self.button, self._tail = Button.TAIL, TAIL_SAMPLES\n",
        "        self.button, self._tail = Button.TAIL, 0\n",
        (
            "core/test_push_to_talk.py::test_the_200_ms_before_a_press_and_the_tail_after_it_are_in_to_the_sample",
        ),
    ),
    Mutation(
        "what was said in the 200 ms before the press is lost",
        "core/push_to_talk.py",
        "    call.uplink.keep(before)\n",
        "",
        (
            "core/test_push_to_talk.py::test_the_200_ms_before_a_press_and_the_tail_after_it_are_in_to_the_sample",
        ),
    ),
    Mutation(
        "what is said with the button up goes upstream",
        "core/push_to_talk.py",
        '        elif self.button is Button.UP:\n            going = b""\n',
        "        elif self.button is Button.UP:\n            going = chunk\n",
        (
            "core/test_push_to_talk.py::"
            "test_nothing_that_was_said_between_two_presses_reaches_the_upstream_and_no_sample_is_sent_twice",
        ),
    ),
    # -- the media road -----------------------------------------------------------------------------------
    Mutation(
        "a lost packet shortens the caller's time line",
        "core/mic.py",
        "        return filler + self._pass(sequence, timestamp, pcm if known else _fade_in(pcm))\n",
        "        return self._pass(sequence, timestamp, pcm if known else _fade_in(pcm))\n",
        ("core/test_mic.py::test_a_lost_packet_becomes_silence_of_its_length_faded_at_both_edges",),
    ),
    Mutation(
        "a packet that comes twice is heard twice",
        "core/mic.py",
        '        if step == 0:\n            counts.duplicate += 1\n            return b""\n',
        "        if step == 0:\n            counts.duplicate += 1\n            return pcm\n",
        ("core/test_mic.py::test_late_and_duplicate_packets_add_nothing",),
    ),
    Mutation(
        "after a stall the speaker bursts",
        "rtc/speaker.py",
        "        if behind > 0:\n",
        "        if behind > 1_000_000:\n",
        ("rtc/test_speaker.py::test_after_a_stall_nothing_bursts_and_the_timestamps_keep_the_place",),
    ),
    Mutation(
        "a muted speaker eats the agent's words",
        "rtc/speaker.py",
        "        if self.pull is None or self.muted:\n",
        "        if self.pull is None:\n",
        ("rtc/test_speaker.py::test_silence_goes_out_before_anybody_pulls_and_while_muted",),
    ),
)
