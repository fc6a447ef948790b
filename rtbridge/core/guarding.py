"""Guarding: what a call does with the verdicts of its guardrails. How far an item is cleared is gate.py's.

A verdict against an item stops it: what was cleared of it plays to its end and nothing else of it is ever heard, the
response is cancelled, and the upstream's item is cut to what is heard. Then the model is told so, in a system item,
and answers again; at most twice a turn, after that a safe phrase is said in its place. What could not be checked in
time is stopped the same way, and is nothing the model could correct: there the safe phrase comes at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtbridge.core import interruption, journal, pcm, waits, withheld
from rtbridge.core.asks import Judged
from rtbridge.core.gate import (
    CALLER_CORRECTION,
    CORRECTION,
    SAFE_PHRASE,
    UNCHECKED_PHRASE,
    WORDLESS,
    Guarded,
)
from rtbridge.core.plan import ToGuardrails
from rtbridge.core.playout import Progress
from rtbridge.core.requests import Response
from rtbridge.core.speech import Spoken
from rtbridge.core.turns import State

if TYPE_CHECKING:
    from rtbridge.core.call import Call


def begin(call: Call, spoken: Spoken) -> None:
    """Watch over an item of an agent, if that is its policy."""
    response = call.arbiter.response(spoken.response_id)
    phrase = response.want.phrase if response is not None else ""
    call.gate.begin(spoken.item_id, spoken.agent, phrase=phrase)


def said(call: Call, item_id: str, delta: str, now: float) -> None:
    """Have the next piece of an agent's text checked."""
    guarded = call.gate.get(item_id)
    if guarded is None:
        return
    call.act(ToGuardrails(item_id, delta))
    if guarded.said(call.speech.ledger.text(item_id)):
        extend(call, item_id, now)


def extend(call: Call, item_id: str, now: float) -> None:
    """Let an item play as far as it is cleared, and a filler make way for it once it is to be heard."""
    guarded = call.gate.get(item_id)
    if guarded is None or guarded.policy == "observe":
        waits.make_way(call, item_id)
    else:
        reach = call.speech.ledger.reach(item_id, guarded.cleared)
        call.speech.playout.limit(item_id, reach)
        if reach:
            call.stopwatch.cleared(now, item_id)
            waits.make_way(call, item_id)


def ended(call: Call, response: Response, now: float) -> None:
    """Take the end of a response: what has sound and not a word of text can never be checked, and is not waited for.

    The operator is told once a call: nothing else says why an agent is silent, or was heard unchecked.
    """
    for item_id in response.items:
        guarded, spoken = call.gate.get(item_id), call.speech.get(item_id)
        if guarded is None or spoken is None or not call.speech.ledger.is_wordless(item_id):
            continue
        if guarded.stopped or call.is_stale(response.response_id, item_id):
            continue
        shut = guarded.policy == "gate" and not call.plan.guardrails_open
        if not call.gate.warned:
            call.gate.warned = True
            how = "not heard" if shut else "heard unchecked"
            words = WORDLESS.format(agent=spoken.agent, how=how, policy=guarded.policy)
            call.note(journal.Notice(words))
        if shut:
            _trip(call, guarded, spoken, Judged(item_id, "unchecked", 0, 0), now)
        else:
            call.speech.playout.limit(item_id, None)


def judged(call: Call, verdict: Judged, now: float) -> None:
    """Take a verdict; one about what is over, or was stopped already, comes too late."""
    open_ = verdict.state == "pass" or (verdict.state == "unchecked" and call.plan.guardrails_open)
    if verdict.who == "caller":
        if open_:
            caller_cleared(call, verdict.item_id, now)
        else:
            _caller_refused(call, verdict, now)
        return
    guarded, spoken = call.gate.get(verdict.item_id), call.speech.get(verdict.item_id)
    if guarded is None or guarded.stopped or spoken is None or spoken.over:
        return
    if call.is_stale(spoken.response_id, spoken.item_id) or guarded.is_own(verdict.end):
        return
    if open_:
        if guarded.passed(verdict.start, verdict.end):
            extend(call, verdict.item_id, now)
    elif verdict.state == "fail" or guarded.policy == "gate":
        _trip(call, guarded, spoken, verdict, now)


def _trip(call: Call, guarded: Guarded, spoken: Spoken, verdict: Judged, now: float) -> None:
    heard = _stop(call, guarded, spoken, now)
    if waits.is_aside(call, spoken.item_id) or call.speech.ledger.is_wordless(spoken.item_id):
        action = "silence"  # a phrase in its place would be no better
    elif verdict.state == "fail" and call.bounds.may_correct():
        action = "corrected"
        _tell_model(call, CORRECTION.format(why=verdict.why or "not allowed"), now)
        if not call.arbiter.responses.await_tools:  # a tool's result will have it go on anyway
            call.arbiter.want("guardrail", now)
    else:
        action = "safe_phrase"
        call.gate.owe(SAFE_PHRASE if verdict.state == "fail" else UNCHECKED_PHRASE, now)
    heard_ms = pcm.ms_of_samples(heard)
    call.note(
        journal.GuardrailTripped(spoken.item_id, verdict.state, guarded.policy, round(heard_ms), action)
    )
    call.follow_playout(now)
    call.rest(now)


def _stop(call: Call, guarded: Guarded, spoken: Spoken, now: float) -> int:
    """Let nothing more of an item be cleared, nor of what comes after it; return how many samples are heard of it."""
    playing = call.speech.playout.progress(spoken.item_id)
    heard = 0 if playing is None else _may_be_heard(call, guarded, playing)
    response = call.arbiter.response(spoken.response_id)
    assert response is not None  # or it were stale
    at = response.items.index(spoken.item_id) if spoken.item_id in response.items else len(response.items)
    later = response.items[at + 1 :]
    response.barred.update((spoken.item_id, *later))
    if call.arbiter.active is response:
        call.arbiter.cancel(now)
    _end_at(call, guarded, spoken, playing, heard)
    for item_id in later:
        _drop(call, item_id)
    return heard


def cancelled(call: Call, response: Response) -> None:
    """Let nothing be heard of a response that was cancelled but what is cleared by now: no verdict is waited for."""
    for item_id in response.items:
        guarded, spoken = call.gate.get(item_id), call.speech.get(item_id)
        playing = call.speech.playout.progress(item_id)
        if guarded is None or spoken is None or playing is None or guarded.policy != "gate":
            continue
        if not guarded.stopped and call.speech.ledger.reach(item_id, guarded.cleared) < playing.pushed:
            _end_at(call, guarded, spoken, playing, _may_be_heard(call, guarded, playing))


def _may_be_heard(call: Call, guarded: Guarded, playing: Progress) -> int:
    """Return how many samples of an item may be heard when no more of it is cleared: that, or what has been heard."""
    if guarded.policy == "observe":
        return playing.pulled
    reach = call.speech.ledger.reach(guarded.item_id, guarded.cleared)
    if not call.speech.ledger.word_times:  # it ends within a word, which one cannot know
        reach = call.speech.playout.quiet_before(guarded.item_id, reach)
    return max(reach, playing.pulled)


def _end_at(call: Call, guarded: Guarded, spoken: Spoken, playing: Progress | None, heard: int) -> None:
    """Have an item end after so many samples, and the upstream know it."""
    guarded.stopped = True
    if not heard or playing is None:
        _drop(call, spoken.item_id)
        return
    spoken.complete = True  # there is no more of it that could be cut when it was played
    call.speech.playout.end_at(heard, spoken.item_id)
    if not waits.is_aside(call, spoken.item_id):
        heard_ms = pcm.ms_of_samples(heard)
        call.arbiter.truncate(spoken.item_id, playing.content_index, heard_ms)
        call.note(journal.ItemTruncated(spoken.item_id, heard_ms))


def _drop(call: Call, item_id: str) -> None:
    """Let nothing at all be heard of an item."""
    call.speech.playout.end_at(0, item_id)
    call.speech.unheard([item_id])
    interruption.forget_unheard(call, item_id)


def _tell_model(call: Call, words: str, now: float) -> None:
    part = {"type": "input_text", "text": words}
    call.arbiter.add_item({"type": "message", "role": "system", "content": [part]}, now)


# -- what the caller said -----------------------------------------------------------------------------------
def hear_first(call: Call, item_id: object, now: float) -> None:
    """Hold the answer to a caller's item until its words are cleared, where that is wanted."""
    if call.plan.hears_first and isinstance(item_id, str):
        call.gate.await_caller(item_id, now)
        call.arbiter.hold = True


def caller_cleared(call: Call, item_id: str, now: float) -> None:
    """Let what the caller said be answered."""
    call.gate.awaited.pop(item_id, None)
    call.arbiter.hold = bool(call.gate.awaited)
    call.arbiter.advance(now)


def _caller_refused(call: Call, verdict: Judged, now: float) -> None:
    """Have what the caller said declined, by the model or, where it was not checked, by a safe phrase."""
    if verdict.item_id not in call.gate.awaited:
        return
    if verdict.state == "fail":
        _tell_model(call, CALLER_CORRECTION.format(why=verdict.why or "not allowed"), now)
    else:  # what answers the caller then is the phrase
        call.arbiter.forget_wants()
        call.gate.owe(UNCHECKED_PHRASE, now)
    caller_cleared(call, verdict.item_id, now)
    call.rest(now)


# -- what waits ---------------------------------------------------------------------------------------------
def expire(call: Call, now: float) -> None:
    """Act on what was waited for in vain: what a caller said and nobody checked is not answered."""
    owed, overdue = call.gate.owed, call.gate.overdue(now)
    if owed and not call.gate.owed:
        call.stopwatch.dropped()
    for item_id in overdue:
        call.note(
            journal.GuardrailJudged(
                item_id, "unchecked", who="caller", rationale="there was no verdict in time"
            )
        )
        judged(call, Judged(item_id, "unchecked", 0, 0, who="caller"), now)


def settle(call: Call, now: float) -> None:
    """Say the phrase that is owed once there is room, and tell the caller's side what is cleared by now."""
    if call.gate.owed:
        spoken_to = call.turns.state is State.CALLER_SPEAKING
        if spoken_to or call.arbiter.fill(call.gate.owed, now):
            call.gate.owed = ""
    withheld.release(call)
