"""The caller of a story: hears 20 ms, says 20 ms, and knows when it is whose turn. No clock, no sockets.

One frame in, one frame out: time is the number of frames heard. Both roads drive the same script, the virtual
one (`caller.py`) and the one over real WebRTC (`wire.py`); so a story means the same on both. Anchors are found in
what was heard, and events of the data channel are only kept as witnesses, but for one: that a handoff happened.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import numpy as np

from rtbridge.core import pcm
from rtbridge.replay.button import Button
from rtbridge.replay.hearing import Hearing, audible_span
from rtbridge.replay.story import Anchor, Story, Turn

QUIET_MS: Final = (
    1_200  # of silence until an agent is taken to have finished: sentences may lie a second apart
)
TAIL_MS: Final = 2_000  # of silence after the last answer until the caller hangs up
PATIENCE_MS: Final = 20_000  # without any sound until a caller no longer waits
MAX_CALL_MS: Final = 1_800_000
MAX_MESSAGES: Final = 50_000
NOISE_FLOOR: Final = 2  # peak of what a quiet microphone gives, -84 dBFS
NOISE_SEED: Final = 7
KEY_MS: Final = 200  # from one key to the next: 100 ms of it, its end said twice more, and a pause


@dataclass(frozen=True, slots=True)
class Played:
    """A turn that was played, in samples of the call. A typed turn is one moment."""

    turn: Turn
    start: int
    speech_start: int  # the first audible sample of it in the caller's recording
    speech_end: int  # after the last audible sample
    end: int


@dataclass(frozen=True, slots=True)
class Message:
    """What came over the data channel, and when it came."""

    at_ms: int
    event: dict[str, Any]


class _State(Enum):
    WAITING = auto()  # for the anchor of the next turn
    PLAYING = auto()
    LISTENING = auto()  # to the answer to the last turn
    OVER = auto()


class Script:
    """One caller, through one story."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self._turns: Sequence[Turn] = story.turns
        self._state = _State.WAITING if story.turns else _State.LISTENING
        self._next = 0
        self._sounding = b""
        self._keys: deque[tuple[int, str]] = deque()  # at which sample the turn presses what
        self._button = Button(story.media.push_to_talk)
        self._playing: Played | None = None
        self._hearing = Hearing()
        self._now = 0  # samples heard
        self._armed = 0  # where what counts as an answer to the turn before begins
        self._handed_off_at: int | None = None
        self._waiting: dict[
            str, int
        ] = {}  # tool calls that need an approval, and the sample at which they asked
        rng = np.random.default_rng(NOISE_SEED)
        floor = rng.integers(-NOISE_FLOOR, NOISE_FLOOR, size=pcm.RATE, endpoint=True)
        self._floor = floor.astype("<i2").tobytes() * 2  # twice, so that a frame never has to be joined
        self.heard = bytearray()  # 24 kHz mono s16le
        self.said = bytearray()  # the caller's side, in step with `heard`
        self.played: list[Played] = []
        self.messages: list[Message] = []
        self.messages_dropped = 0
        self.outbox: list[str] = []  # for the data channel; whoever drives the script empties it
        self.pressed: list[str] = []  # keys that begin with this frame; whoever drives the script empties it
        self.stuck: str | None = None  # what was waited for in vain, and what was heard
        self.reason: str | None = None  # why it is over

    @property
    def is_over(self) -> bool:
        """Say whether the caller has hung up, or was hung up on."""
        return self._state is _State.OVER

    @property
    def now_ms(self) -> int:
        """Return how much of the call has been heard."""
        return pcm.ms_of_samples(self._now)

    def tick(self, heard: bytes) -> bytes:
        """Take the 20 ms that are heard now and return what is said in the same 20 ms.

        What is said depends only on what was heard before. After the end it is silence.
        """
        said = self._speak()
        self.outbox += self._button.events(self._now)
        self._now += pcm.FRAME_SAMPLES
        self._hearing.feed(heard)
        self.heard += heard
        self.said += said
        return said

    def message(self, text: str) -> None:
        """Take a message of the data channel."""
        if len(self.messages) >= MAX_MESSAGES:
            self.messages_dropped += 1
            return
        event = json.loads(text)
        self.messages.append(Message(self.now_ms, event))
        match event.get("type"):
            case "rtbridge.agent.handed_off":
                self._handed_off_at = self._now
            case "rtbridge.tool.approval_requested":
                self._waiting[event["call_id"]] = self._now
            case "rtbridge.tool.approved" | "rtbridge.tool.rejected" | "rtbridge.tool.approval_expired":
                self._waiting.pop(event["call_id"], None)

    def ended_by_peer(self, reason: str) -> None:
        """The other side has ended the call, whatever the story still had to say."""
        if self.is_over:
            return
        if self._state in (_State.WAITING, _State.PLAYING):
            turn = self._turns[self._next]
            self.stuck = f'the call was ended ({reason}) before turn "{turn.id}" was over'
        self._end(reason)

    # -- what happens in a frame --------------------------------------------------------------------------
    def _speak(self) -> bytes:
        if self._now >= pcm.samples_of_ms(MAX_CALL_MS):
            self._give_up("the end of the call")
        if self._state is _State.WAITING:
            self._await_anchor()
        elif self._state is _State.LISTENING:
            self._await_end()
        if self._state is not _State.PLAYING:
            return self._quiet(pcm.FRAME_BYTES)
        if self._keys:
            return self._press_on()
        frame, self._sounding = self._sounding[: pcm.FRAME_BYTES], self._sounding[pcm.FRAME_BYTES :]
        if not self._sounding:
            self._turn_over()
        return frame + self._quiet(pcm.FRAME_BYTES - len(frame), len(frame))

    def _await_anchor(self) -> None:
        turn = self._turns[self._next]
        anchor = self._anchor(turn.start.after)
        if anchor is None:
            if self._silent_ms() >= PATIENCE_MS:
                self._give_up(f'{turn.start.after.value} of turn "{turn.id}" (line {turn.line})')
        elif self._now >= anchor + pcm.samples_of_ms(turn.start.delay_ms):
            self._play(turn)

    def _anchor(self, after: Anchor) -> int | None:
        """Return the sample of the anchor, None as long as it has not come."""
        match after:
            case Anchor.CALL_START:
                return 0
            case Anchor.TURN_END:
                return self.played[-1].speech_end
            case Anchor.AGENT_SPEECH_START:
                burst = self._hearing.first_after(self._armed)
                return burst.start if burst else None
            case Anchor.AGENT_SPEECH_END:
                return self._hearing.last_audible if self._fell_silent(QUIET_MS) else None
            case Anchor.APPROVAL:
                return next(iter(self._waiting.values()), None)
            case Anchor.HANDOFF:
                if self._handed_off_at is None or self._handed_off_at < self._armed:
                    return None
                burst = self._hearing.first_after(self._handed_off_at)
                return burst.start if burst else None

    def _fell_silent(self, quiet_ms: int) -> bool:
        """Say whether the agent has spoken since the caller's turn, and has been silent for `quiet_ms`."""
        if self._hearing.first_after(self._armed) is None:
            return False
        return self._now - self._hearing.last_audible >= pcm.samples_of_ms(quiet_ms)

    def _silent_ms(self) -> int:
        played_until = self.played[-1].end if self.played else 0
        return pcm.ms_of_samples(self._now - max(self._hearing.last_audible, played_until))

    def _play(self, turn: Turn) -> None:
        now = self._now
        if turn.press is not None:
            self._press(turn, turn.press)
            return
        if turn.sound is None:
            self._playing = Played(turn, now, now, now, now)
            if turn.approve is not None:
                self._answer(turn.approve)
            elif turn.switch is None:
                self._type(turn.typed or "")
            else:
                self.outbox.append(json.dumps({"type": "rtbridge.agent.switch", "agent": turn.switch}))
            self._turn_over()
            return
        span = audible_span(turn.sound.pcm)
        self._playing = Played(
            turn, now, now + span.start, now + span.end, now + pcm.samples_of(turn.sound.pcm)
        )
        self._sounding = turn.sound.pcm
        if not turn.is_noise:
            self._button.use(self._playing.speech_start, self._playing.speech_end)
        self._state = _State.PLAYING

    def _press(self, turn: Turn, keys: str) -> None:
        """Press one key after the other; the caller is silent meanwhile. The turn is over with the last key."""
        step = pcm.samples_of_ms(KEY_MS)
        self._keys.extend((self._now + n * step, key) for n, key in enumerate(keys))
        over = self._keys[-1][0] + pcm.FRAME_SAMPLES
        self._playing = Played(turn, self._now, self._now, over, over)
        self._state = _State.PLAYING

    def _press_on(self) -> bytes:
        if self._keys[0][0] <= self._now:
            self.pressed.append(self._keys.popleft()[1])
        if not self._keys:
            self._turn_over()
        return self._quiet(pcm.FRAME_BYTES)

    def _answer(self, approve: bool) -> None:
        # The oldest; answered once, whether or not the bridge takes the answer.
        call_id = next(iter(self._waiting))
        del self._waiting[call_id]
        kind = f"rtbridge.tool.{'approve' if approve else 'reject'}"
        self.outbox.append(json.dumps({"type": kind, "call_id": call_id}))

    def _type(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self.outbox.append(json.dumps({"type": "conversation.item.create", "item": item}))
        self.outbox.append(json.dumps({"type": "response.create"}))

    def _turn_over(self) -> None:
        played, self._playing = self._playing, None
        assert played is not None
        self.played.append(played)
        if not played.turn.is_noise:  # a noise leaves the agent's speech as it was
            self._armed = played.speech_end
        self._next += 1
        self._state = _State.WAITING if self._next < len(self._turns) else _State.LISTENING

    def _await_end(self) -> None:
        if self.now_ms < self.story.stays_ms:
            return
        if (self._fell_silent(TAIL_MS) and self._silent_ms() >= TAIL_MS) or self._silent_ms() >= PATIENCE_MS:
            self._end("the caller hung up")

    def _give_up(self, waited_for: str) -> None:
        self.stuck = f"waited for {waited_for} until {self.now_ms} ms; {self._what_was_heard()}"
        self._end("the caller gave up")

    def _what_was_heard(self) -> str:
        since = [burst for burst in self._hearing.bursts if burst.end > self._armed]
        if not since:
            return f"heard nothing since {pcm.ms_of_samples(self._armed)} ms"
        spans = [f"{pcm.ms_of_samples(b.start)}-{pcm.ms_of_samples(b.end)} ms" for b in since[-3:]]
        more = f"{len(since) - 3} earlier sounds and " if len(since) > 3 else ""
        return f"heard {more}sound at {', '.join(spans)}"

    def _end(self, reason: str) -> None:
        self.reason = reason
        self._state = _State.OVER

    def _quiet(self, length: int, offset: int = 0) -> bytes:
        """Return `length` bytes of the noise floor, the same for the same place in the call."""
        at = (self._now * pcm.SAMPLE_BYTES + offset) % (len(self._floor) // 2)
        return self._floor[at : at + length]
