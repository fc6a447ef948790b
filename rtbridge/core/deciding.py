"""Deciding whether somebody who makes a sound while the agent is heard meant to interrupt it.

The agent is silent at once, with all of its words kept, and within 400 ms it is one of two things. Real: the words are
thrown away as interruption.py says, and the caller's turn goes on. A false alarm: the agent goes on at the very
sample, and what the upstream hears is never to become a turn: it is cleared once it is quiet, or deleted when it was
committed before that. Until then it is watched: who coughs and then speaks on is heard after all, with nothing lost.

What a sound is, is judged in barge_in.py; whose turn it is stays in turns.py; here is the life of one such sound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rtbridge.core import journal, pcm
from rtbridge.core.barge_in import LONG_MS, BargeIn, Verdict, judge
from rtbridge.core.echo import REACH_MS, likeness
from rtbridge.core.turns import Cause, State
from rtbridge.core.voicing import Sound, sound_in

if TYPE_CHECKING:
    from rtbridge.core.call import Call

Wire = dict[str, Any]

DECIDE_WITHIN_S: Final = 0.4
BEFORE_MS: Final = 700  # an upstream says so much later, at most, that somebody speaks
WATCH_EVERY_S: Final = 0.1  # what was dismissed and is not over
GONE_MS: Final = 300  # of silence, and what was dismissed is over
SPEAKS_ON_MS: Final = 250  # voiced, of a sound that was dismissed: it was more than that
VOICES: Final = (Verdict.BACKCHANNEL, Verdict.TOO_SHORT)
MAX_DISCARDED: Final = 64
SOON_S: Final = 0.001  # a timer may fire early by the resolution of its clock


class Deciding:
    """The sound that the upstream hears, if it began over the agent's words."""

    def __init__(self) -> None:
        self.item_id = ""  # as the upstream calls the turn that it may become
        self.going_on = False  # it has begun, and nobody has said what became of it
        self.verdict: Verdict | None = None
        self.waits = False  # for the end of words that may not be interrupted
        self.cleared = False  # the upstream was asked to forget it
        self.over = False  # the upstream heard its end
        self.since_s = 0.0
        self.ended = 0  # samples that had come when the last turn was over: they are not of this sound
        self.looked_s = 0.0
        self.words = ""
        self.echoing = False  # the agent has come back before
        self.discarded: deque[str] = deque(maxlen=MAX_DISCARDED)  # items that nobody hears of

    @property
    def dismissed(self) -> bool:
        """Whether what goes on was a false alarm so far."""
        return self.going_on and self.verdict not in (None, Verdict.REAL)

    def deadline(self, state: State) -> float | None:
        """Return when it has to be decided; None while there is nothing to decide."""
        return self.since_s + DECIDE_WITHIN_S if state is State.DECIDING else None

    def paused_ms(self, now: float) -> int:
        """Return for how long the agent was silent over this."""
        return round((now - self.since_s) * 1000)


def started(call: Call, item_id: str, now: float) -> None:
    """Take the beginning of speech (event speech_started); over the agent's words it is one to decide about."""
    deciding = call.deciding
    if call.turns.state is State.DECIDING:  # the same sound, by another name
        deciding.item_id = item_id or deciding.item_id
        return
    deciding.item_id, deciding.going_on, deciding.verdict = item_id, True, None
    deciding.waits = deciding.cleared = deciding.over = False
    deciding.words, deciding.looked_s = "", now
    if not call.detection.interrupts and call.turns.state is not State.LISTENING:
        deciding.going_on = False
    elif call.turns.state is not State.AGENT_SPEAKING:
        deciding.going_on = False
        call.stopwatch.dropped()
        call.move(Cause.SPEECH_STARTED, now)
    elif _protected(call):
        deciding.waits = True
    else:
        _begin(call, now)


def pressed(call: Call, now: float) -> None:
    """Take a press of the button to talk: it is meant, but waits for the end of words that may not be interrupted."""
    deciding = call.deciding
    deciding.item_id, deciding.verdict, deciding.looked_s = "", None, now
    deciding.waits = deciding.going_on = call.turns.state is State.AGENT_SPEAKING and _protected(call)
    if not deciding.waits:
        _real(call, now)


def look(call: Call, now: float, *, last: bool = False) -> None:
    """Decide, if that can be done by now; `last` says that it must be. Watch what was dismissed and goes on."""
    deciding = call.deciding
    if call.turns.state is State.DECIDING:
        due = last or now >= deciding.since_s + DECIDE_WITHIN_S - SOON_S
        sound, like = _heard(call, now)
        settings = _settings(call)
        mid, echoing = _mid_sentence(call), deciding.echoing
        verdict = judge(sound, like, deciding.words, settings, mid_sentence=mid, due=due, echoing=echoing)
        if verdict is Verdict.REAL:
            _real(call, now)
        elif verdict is not None:
            _dismiss(call, verdict, now)
    elif deciding.going_on and now >= deciding.looked_s + WATCH_EVERY_S - SOON_S:
        deciding.looked_s = now
        if deciding.waits:
            if (call.talk.pressed or call.turns.state is State.AGENT_SPEAKING) and not _protected(call):
                deciding.waits = False
                (_real if call.talk.pressed else _begin)(call, now)
        elif deciding.dismissed:
            _watch(call, now)


def partial(call: Call, event: Wire, now: float) -> None:
    """Take words that the upstream has understood so far (event input_audio_transcription.delta)."""
    deciding = call.deciding
    if deciding.going_on and event.get("item_id") == deciding.item_id:
        deciding.words += str(event.get("delta") or "")
        if call.turns.state is State.DECIDING:
            look(call, now)
        elif deciding.verdict in VOICES and not _settings(call).is_backchannel(deciding.words):
            _real(call, now)  # the words came late


def stopped(call: Call, now: float) -> bool:
    """Take the end of speech (event speech_stopped); return whether it was none that anybody shall answer."""
    if call.turns.state is State.DECIDING:
        look(call, now, last=True)
    deciding = call.deciding
    deciding.over, deciding.ended = True, call.ear.heard
    if not deciding.dismissed:
        deciding.going_on = False
        return False
    if call.detection.value is None:  # turns are not found any more: nothing will be committed
        deciding.going_on = False
        call.arbiter.speech_dropped(now)
    return True


def committed(call: Call, item_id: str, now: float) -> bool:
    """Take a commit; return whether it was of a false alarm, which is then deleted and nobody hears of it.

    What a client commits by hand, before the upstream heard its end, it means.
    """
    deciding = call.deciding
    if call.turns.state is State.DECIDING:
        _real(call, now)
    ours = deciding.dismissed and deciding.over
    deciding.going_on = False
    if not ours:
        return False
    deciding.discarded.append(item_id)
    call.arbiter.speech_dropped(now)
    call.arbiter.delete(item_id)
    call.tell({"type": "input_audio_buffer.cleared", "event_id": call.new_id("event")})
    return True


def cleared(call: Call, now: float) -> None:
    """Take it that the upstream has forgotten what it heard (event input_audio_buffer.cleared)."""
    if call.turns.state is State.DECIDING:
        _dismiss(call, Verdict.DROPPED, now)
    call.deciding.going_on = False


def swallows(call: Call, event: Wire) -> bool:
    """Whether an event is about an item of a false alarm."""
    if not call.deciding.discarded:
        return False
    item = event.get("item")
    item_id = item.get("id") if isinstance(item, Mapping) else event.get("item_id")
    return item_id in call.deciding.discarded


def _begin(call: Call, now: float) -> None:
    call.deciding.since_s = now
    call.note(journal.BargeInDeciding(call.deciding.item_id or None))
    call.move(Cause.SPEECH_STARTED, now)
    look(call, now)  # an echo that is known by now costs no pause


def _real(call: Call, now: float) -> None:
    deciding = call.deciding
    deciding.verdict = Verdict.REAL
    call.stopwatch.dropped()
    over_words = call.turns.state in (State.DECIDING, State.AGENT_SPEAKING)
    call.move(Cause.REAL if over_words else Cause.SPEECH_STARTED, now)
    call.settle(now)


def _dismiss(call: Call, verdict: Verdict, now: float) -> None:
    deciding = call.deciding
    deciding.verdict, deciding.looked_s = verdict, now
    deciding.echoing = deciding.echoing or verdict is Verdict.ECHO
    call.note(journal.BargeInDismissed(deciding.item_id or None, verdict.value, deciding.paused_ms(now)))
    call.move(Cause.FALSE_ALARM, now)
    if call.speech.playout.playing is None:  # its last word was out when it was paused
        call.drained(now)
    call.settle(now)


def _watch(call: Call, now: float) -> None:
    """Hear on after what was dismissed: it ends, or it was the beginning of more."""
    deciding = call.deciding
    sound, like = _heard(call, now)
    goes_on = LONG_MS + (SPEAKS_ON_MS if deciding.verdict is Verdict.BACKCHANNEL else 0)
    if (
        sound.quiet_ms < GONE_MS
        and sound.span_ms >= goes_on
        and sound.voiced_ms >= SPEAKS_ON_MS
        and judge(sound, like, "", _settings(call), mid_sentence=True, due=False) is Verdict.REAL
    ):
        _real(call, now)
    elif sound.quiet_ms >= GONE_MS and not (deciding.cleared or deciding.over):
        deciding.cleared = True
        call.arbiter.forward({"type": "input_audio_buffer.clear", "event_id": call.new_id("event")})
        call.settle(now)


def _heard(call: Call, now: float) -> tuple[Sound, float]:
    """Return what came from the caller lately, and how like it is to what they were given."""
    deciding = call.deciding
    lately = pcm.samples_of_ms(BEFORE_MS + (now - deciding.since_s) * 1000)
    heard = call.ear.last(min(lately, call.ear.heard - deciding.ended))
    sound = sound_in(heard, call.ear.floor())
    end = len(heard) - pcm.samples_of_ms(sound.quiet_ms)
    begin = max(0, end - pcm.samples_of_ms(sound.span_ms))
    given = call.mouth.last(pcm.samples_of_ms(sound.quiet_ms + REACH_MS))
    return sound, likeness(heard[begin:end], given[: len(given) - pcm.samples_of_ms(sound.quiet_ms)])


def _settings(call: Call) -> BargeIn:
    """Return those of the agent who is heard."""
    playing = call.speech.playout.playing
    agent = call.agent if playing is None else call.speech.queued(playing.item_id).agent
    return call.plan.barge_in.get(agent, BargeIn())


def _protected(call: Call) -> bool:
    playing = call.speech.playout.playing
    if playing is None:
        return False
    words = call.speech.ledger.words(playing.item_id, playing.pulled)
    return _settings(call).protects(words.heard + words.unheard, len(words.heard))


def _mid_sentence(call: Call) -> bool:
    """Whether the agent has more to say, and has not just asked something. Nobody speaks over one who is not heard."""
    playing = call.speech.playout.playing
    if playing is None or call.controls.paused:
        return False
    words = call.speech.ledger.words(playing.item_id, playing.pulled)
    if words.heard.rstrip().endswith("?"):
        return False
    return len(words.unheard.split()) > 1 or call.speech.playout.last_item_id != playing.item_id
