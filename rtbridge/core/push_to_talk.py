"""Push to talk: the caller's side says where a turn begins and where it ends, and no syllable of it is lost.

A stock client says it so: a session without turn detection, `input_audio_buffer.clear` when the button is pressed,
`input_audio_buffer.commit` and `response.create` when it is let go. People begin to speak before their finger is down
and let go on the last syllable, and a press is told faster than a voice: an event needs half a round trip, a voice
besides that its packet's length and the receive buffer. So what came in the 200 ms before a press is kept and sent
first, and a commit waits for 160 ms more of the caller's audio, counted in its samples. While the button is up nothing
goes upstream, so that nothing is committed that was not meant.

A press means it: the agent is interrupted as by a voice over its words. A client that commits and never clears is
served as the API would, but for the tail: all since the last commit is the turn.

Where the button is, is a state; clear, audio and commit keep their order upstream, whatever has to wait for a session.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from rtbridge.core import deciding, journal, pcm
from rtbridge.core.dialect import Refused
from rtbridge.core.plan import AppendAudio, ToUpstream
from rtbridge.core.turns import Cause, State

if TYPE_CHECKING:
    from rtbridge.core.call import Call

Wire = dict[str, Any]

BEFORE_SAMPLES: Final = pcm.samples_of_ms(200)
TAIL_SAMPLES: Final = pcm.samples_of_ms(
    160
)  # capture 40, a packet 20, the receive buffer 40, the rest a finger's
LEAST_SAMPLES: Final = pcm.samples_of_ms(100)  # that the API commits: input_audio_buffer_commit_empty
TAIL_WITHIN_S: Final = 0.5  # a microphone from which nothing comes has no tail
COMMITTED_WITHIN_S: Final = 5.0  # input_audio_buffer.commit -> input_audio_buffer.committed
EMPTY: Final = "input_audio_buffer_commit_empty"


class Button(Enum):
    """Where the button is."""

    OFF = "off"  # turns are found by the upstream: all that is said goes there
    OPEN = "open"  # the client says where turns end, and has never said where one begins: all goes there too
    UP = "up"  # nothing goes
    DOWN = "down"
    TAIL = "tail"  # let go, and what was said by then is still on its way


class PushToTalk:
    """Which of the caller's samples are part of a turn."""

    def __init__(self) -> None:
        self.button = Button.OFF
        self.held = 0  # samples that came while it was down
        self.clear_id: str | None = None  # event_ids of the last press and the last commit
        self.commit_id: str | None = None
        self.since_s = 0.0  # when it was let go, or the commit was sent
        self.event_id = ""  # what the commit of this release shall be called
        self.after = Button.UP  # the tail
        self._before = bytearray()
        self._tail = 0  # samples

    @property
    def pressed(self) -> bool:
        """Whether the caller speaks, by what the client says; the tail is part of it."""
        return self.button in (Button.DOWN, Button.TAIL)

    @property
    def begins_turns(self) -> bool:
        """Whether the client has said where a turn begins, and says so for the next."""
        return self.button in (Button.UP, Button.DOWN, Button.TAIL)

    @property
    def over(self) -> bool:
        """Whether all of the tail is there."""
        return self.button is Button.TAIL and self._tail == 0

    def press(self) -> bytes:
        """Put the button down; return what came in the 200 ms before that is part of no turn."""
        self.button, self.held = Button.DOWN, 0
        return bytes(self._before)

    def go_on(self) -> bytes:
        """Put the button down again in the same turn; return what came since its tail."""
        self.button, self._tail = Button.DOWN, 0
        return bytes(self._before)

    def release(self) -> None:
        """Let the button go: the next 160 ms belong to the turn, and what comes then to none."""
        self.after = Button.OPEN if self.button is Button.OPEN else Button.UP
        self.button, self._tail = Button.TAIL, TAIL_SAMPLES
        self._before.clear()

    def cut(self) -> None:
        """Wait for the tail no longer."""
        self._tail = 0

    def hear(self, chunk: bytes) -> bytes:
        """Take the caller's next audio; return what of it is to go upstream."""
        going, kept = chunk, chunk
        if self.button is Button.TAIL:
            going, kept = chunk[: self._tail * pcm.SAMPLE_BYTES], chunk[self._tail * pcm.SAMPLE_BYTES :]
            self._tail -= pcm.samples_of(going)
        elif self.button is Button.UP:
            going = b""
        elif self.button is Button.DOWN:
            self.held += pcm.samples_of(chunk)
        self._before += kept
        del self._before[: -BEFORE_SAMPLES * pcm.SAMPLE_BYTES]
        return going

    def left(self) -> bytes:
        """Return what came after a tail and before its end was seen to, where all that comes is to go upstream."""
        return bytes(self._before) if self.after is Button.OPEN else b""

    def deadline(self) -> float | None:
        """Return when `expire` wants to be called."""
        if self.button is Button.TAIL and self._tail:
            return self.since_s + TAIL_WITHIN_S
        return None if self.commit_id is None else self.since_s + COMMITTED_WITHIN_S


def hear(call: Call, chunk: bytes, now: float) -> list[bytes]:
    """Take the caller's next audio; return what to append upstream now, in order."""
    talk = call.talk
    going = talk.hear(chunk)
    chunks: list[bytes] = []
    if going and call.live and not call.arbiter.holds(talk.clear_id):
        chunks = call.uplink.send(going)
    elif going and (lost := call.uplink.keep(going)):
        call.note(journal.AudioDropped("mic", pcm.ms_of_samples(lost)))
    settle(call, now)
    return chunks


def press(call: Call, event: Wire, now: float) -> None:
    """Take an `input_audio_buffer.clear` where no turns are found. A second one begins the turn anew."""
    talk = call.talk
    if call.controls.held:
        raise _refused(event, "call_on_hold", "the call is on hold: nobody would hear; resume it first")
    if talk.button is Button.TAIL:
        talk.cut()
        settle(call, now)
    if (
        talk.button is Button.TAIL
    ):  # what was said then cannot be committed yet: it becomes one turn with this
        call.uplink.keep(talk.go_on())
        return
    before = talk.press()
    call.uplink.forget()
    call.uplink.keep(before)
    talk.clear_id = _forwarded(call, event)
    call.arbiter.speech_started()
    call.note(journal.PushToTalkPressed(pcm.ms_of_samples(pcm.samples_of(before))))
    deciding.pressed(call, now)
    call.arbiter.forward({"type": "input_audio_buffer.clear", "event_id": talk.clear_id})
    call.settle(now)


def release(call: Call, event: Wire, now: float) -> None:
    """Take an `input_audio_buffer.commit` where no turns are found: it goes upstream when the tail is there."""
    talk = call.talk
    if talk.button is Button.TAIL:
        raise _refused(event, EMPTY, "what was said is being committed already: a turn is committed once")
    if talk.button is Button.UP:
        words = (
            "nothing was said since the last commit: send input_audio_buffer.clear when the button is pressed"
        )
        raise _refused(event, EMPTY, words)
    if talk.button is Button.DOWN and talk.held < LEAST_SAMPLES:
        held_ms = pcm.ms_of_samples(talk.held)
        _let_go(call, now)
        words = (
            f"a turn has at least 100 ms, and the button was down for {held_ms} ms: hold it while speaking"
        )
        raise _refused(event, EMPTY, words)
    talk.release()
    talk.event_id, talk.since_s = _forwarded(call, event), now
    call.deciding.going_on = False
    call.arbiter.speech_started()
    call.settle(now)


def follow_detection(call: Call, now: float) -> None:
    """Take it that turns are found, or not found, from here on.

    Whoever turns detection on with the button down has let it go: what was said is a turn, and is answered as the
    new detection says. What they say on, the upstream hears.
    """
    talk = call.talk
    if call.detection.value is None:
        talk.button = Button.OPEN if talk.button is Button.OFF else talk.button
        return
    if talk.button is Button.DOWN and talk.held >= LEAST_SAMPLES:
        talk.release()
        talk.event_id, talk.since_s = call.new_id("event"), now
        call.arbiter.turn_over()
    talk.cut()
    settle(call, now)
    if talk.pressed:  # too short for a turn, or still waiting for its place: turn detection is to hear it
        _let_go(call, now)
    talk.button = Button.OFF


def settle(call: Call, now: float) -> None:
    """Send what was decided upstream, and the caller's audio in its place between clear and commit."""
    _carry(call)
    talk = call.talk
    if not talk.over or not call.live or call.arbiter.holds(talk.clear_id):
        return
    for chunk in call.uplink.take():
        call.act(AppendAudio(chunk))
    talk.button, talk.commit_id, talk.since_s = talk.after, talk.event_id, now
    call.uplink.keep(talk.left())
    call.note(journal.PushToTalkReleased(pcm.ms_of_samples(talk.held)))
    call.arbiter.forward({"type": "input_audio_buffer.commit", "event_id": talk.event_id})
    _carry(call)


def expire(call: Call, now: float) -> None:
    """Wait no longer for a tail that does not come, or for a commit that is not answered."""
    talk = call.talk
    deadline = talk.deadline()
    if deadline is None or now < deadline:
        return
    if talk.button is Button.TAIL:
        talk.cut()
        settle(call, now)
        return
    call.note(journal.UpstreamErred("timeout", "input_audio_buffer.commit was not answered", benign=False))
    _not_committed(call, now)


def committed(call: Call) -> bool:
    """Take a commit; return whether the caller speaks again by now, so that nothing is to be answered yet."""
    call.talk.commit_id = None
    return call.talk.pressed


def refused(call: Call, event_id: str | None, now: float) -> None:
    """Take an `error` of the upstream; where it is about a commit, there will be no turn."""
    if event_id is not None and event_id == call.talk.commit_id:
        _not_committed(call, now)


def _not_committed(call: Call, now: float) -> None:
    call.talk.commit_id = None
    if not call.talk.pressed:
        _drop(call, now)


def _let_go(call: Call, now: float) -> None:
    """Make no turn of what was said."""
    call.talk.button = Button.UP
    call.deciding.going_on = False
    _drop(call, now)


def _drop(call: Call, now: float) -> None:
    call.arbiter.speech_dropped(now)
    if call.turns.state is State.CALLER_SPEAKING:
        call.move(Cause.SPEECH_DROPPED, now)
    call.settle(now)


def _carry(call: Call) -> None:
    for event in call.arbiter.take():
        call.act(ToUpstream(event))


def _forwarded(call: Call, event: Wire) -> str:
    """Return what an event of the client is called upstream."""
    event_id = call.new_id("event")
    call.client.sent(event_id, event.get("event_id"))
    return event_id


def _refused(event: Wire, code: str, message: str) -> Refused:
    return Refused(code, message, kind=event["type"], event_id=event.get("event_id"))
