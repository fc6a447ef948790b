"""What must hold after any call of schedule_rig.py, whatever happened in it."""

from __future__ import annotations

from collections.abc import Iterator

from heard_rig import REFUSED, runs
from rtbridge.core import journal, pcm
from rtbridge.core.races import ALREADY_ACTIVE, BENIGN
from schedule_rig import Carried


def complaints(carried: Carried) -> list[str]:
    """Return what went wrong, in words; nothing when all is well."""
    return [*_of_the_wire(carried), *_of_turns(carried), *_of_handoffs(carried), *_of_the_end(carried)]


def _of_the_wire(carried: Carried) -> Iterator[str]:
    errors = carried.upstream.errors()
    # The client may commit a buffer in which nothing is.
    wrong = [code for code in errors if code not in BENIGN and code != "input_audio_buffer_commit_empty"]
    yield from (f"protocol error {code}" for code in wrong)
    yield from (ALREADY_ACTIVE for code in errors if code == ALREADY_ACTIVE)
    yield from carried.upstream.faults
    for at, entry in carried.entries(journal.TurnIgnored):
        yield f"no row for {entry.cause} in {entry.state} at {at} ms"
    if not carried.schedule.moody:
        for at, entry in carried.entries(journal.UpstreamErred):
            if not entry.benign and entry.code == "timeout":
                yield f"{entry.message} at {at} ms"


def _of_turns(carried: Carried) -> Iterator[str]:
    spoken = {
        wired.event["item_id"]: wired.at_ms
        for wired in carried.upstream.got
        if wired.event["type"] == "input_audio_buffer.committed"
    }
    by_hand = _committed_by_hand(carried)
    declined = [at for at, _ in carried.entries(journal.Notice)]
    if REFUSED in str(carried.leg.events_told("error")):  # what the page asked for is told so
        declined += [
            at for at, entry in carried.entries(journal.UpstreamErred) if entry.code == "server_error"
        ]
    answered = carried.answered[: carried.of_schedule]
    seen = {item_id for one in answered if not one.aside for item_id in one.context} | {carried.last_turn}
    for item_id, at in {**carried.turns, **spoken}.items():
        if item_id in by_hand or item_id in seen:
            continue
        if carried.peaceful and not any(when >= at for when in (*declined, *carried.withdrawn)):
            yield f"the turn {item_id} of {at} ms was neither answered nor declined"


def _committed_by_hand(carried: Carried) -> set[str]:
    """Items that the client committed without asking for an answer: those no speech_stopped came before."""
    over, result = False, set()
    for wired in carried.upstream.got:
        kind = wired.event["type"]
        if kind == "input_audio_buffer.speech_stopped":
            over = True
        elif kind == "input_audio_buffer.committed":
            if not over:
                result.add(wired.event["item_id"])
            over = False
    return result


def _of_handoffs(carried: Carried) -> Iterator[str]:
    heard = [run for run in runs(carried.leg.heard) if run.level]
    said = carried.utterances.said
    # A handoff that was refused for being one too many leaves the old agent where it is, with its words.
    refused = any(entry.bound == "handoffs" for _, entry in carried.entries(journal.BoundReached))
    for number in {run.level for run in heard}:
        if said[number].barred and not refused:
            yield f"utterance {number} of {said[number].agent} was heard although the handoff was decided"
    moves = carried.leg.handed_off
    for index, (at, gone, _) in enumerate(moves):
        until = next((then for then, _, to in moves[index + 1 :] if to == gone), float("inf"))
        for run in heard:
            # What was pulled in the frame in which the handoff was told went before it.
            if said[run.level].agent == gone and run.end_ms > at + pcm.FRAME_MS and run.start_ms < until:
                yield f"{gone} was heard at {run.start_ms:.0f} ms, after the handoff of {at:.0f} ms"
    for one in carried.answered:
        if one.during_handoff:
            yield f"{one.agent} answered at {one.at_ms} ms while it handed over"


def _of_the_end(carried: Carried) -> Iterator[str]:
    if carried.leaked:
        yield f"{carried.leaked} tasks are left"
    if not carried.peaceful:
        call = carried.session.call
        yield (
            f"no peace: {call.turns.state}, active {call.arbiter.active}, tools {list(call.tools)}, "
            f"configured {call.arbiter.configured}; the call ended: {carried.reason}"
        )
        return
    last = {run.level for run in runs(carried.leg.heard) if run.level}
    said = carried.utterances.said
    if not any(carried.last_turn in said[number].context and not said[number].aside for number in last):
        yield f"nobody answered the last turn {carried.last_turn}"
