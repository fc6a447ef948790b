"""One story on the virtual road: the whole bridge but aiortc, with the engine in memory, on the virtual clock.

Everything that could differ between two runs is made countable here: ids count, times are virtual, the engine's
models compute in place. So the same story gives the same bytes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import Counter
from typing import Final

from rtbridge.agents.scenario import Scenario
from rtbridge.core import journal, pcm
from rtbridge.engine.parts import EngineParts
from rtbridge.errors import ReplayError, first_of
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.result import Logged, RunResult
from rtbridge.replay.script import MAX_CALL_MS, Script
from rtbridge.replay.story import Story, UpstreamKind
from rtbridge.replay.upstreams import answering
from rtbridge.session import Session
from rtbridge.settings import Settings
from rtbridge.upstream import known
from rtbridge.upstream.passing import PassingUpstream
from rtbridge.upstream.port import Upstream, WireEvent
from rtbridge.upstream.recorder import RecordedUpstream
from rtbridge.upstream.scrubbing import KeptFrames

CALL_ID: Final = "rtc_replay"
LIMIT_S: Final = MAX_CALL_MS / 1000 + 60
GRACE_S: Final = 1.0  # virtual, for tasks that are about to end when the call has


class CountingIds:
    """Ids that count, a row for each prefix: item_0001, item_0002, then event_0001."""

    def __init__(self, mark: str = "") -> None:
        """`mark` stands before each number, where others count as well: item_x0001."""
        self._mark = mark
        self._made: Counter[str] = Counter()

    def __call__(self, prefix: str) -> str:
        """Return the next id of `prefix`."""
        self._made[prefix] += 1
        return f"{prefix}_{self._mark}{self._made[prefix]:04d}"


class TappedUpstream(PassingUpstream):
    """Keeps each item's audio as it passes: the witness of what could be heard."""

    def __init__(self, inner: Upstream) -> None:
        super().__init__(inner)
        self.made: dict[str, bytearray] = {}  # 24 kHz mono s16le by item
        self._texts: dict[str, list[tuple[int, str]]] = {}  # samples before, text

    def came(self, event: WireEvent) -> None:
        """Keep audio; what is none is the bridge's to complain about."""
        if event.get("type") == "response.output_audio.delta":
            with contextlib.suppress(ValueError, TypeError):
                sound = base64.b64decode(event.get("delta") or "")
                self.made.setdefault(str(event.get("item_id")), bytearray()).extend(sound)
        elif event.get("type") == "response.output_audio_transcript.delta":
            item_id = str(event.get("item_id"))
            before = len(self.made.get(item_id, b"")) // pcm.SAMPLE_BYTES
            self._texts.setdefault(item_id, []).append((before, str(event.get("delta") or "")))

    @property
    def pieces(self) -> dict[str, tuple[tuple[int, str], ...]]:
        """Return each item's transcript in pieces, with the sample at which each begins.

        Where transcripts do not come in step with the audio, words lie in it in proportion to their length.
        """
        if self.capabilities.word_times:
            return {item_id: tuple(texts) for item_id, texts in self._texts.items()}
        return {item_id: ((0, "".join(text for _, text in texts)),) for item_id, texts in self._texts.items()}


def play(story: Story, *, scenario: Scenario, parts: EngineParts, settings: Settings) -> RunResult:
    """Play one story and return what is left of it. Blocking; KeyboardInterrupt passes.

    Raises ReplayError when the call could not be carried out: a bug's exception, a stalled clock.
    """
    try:
        if story.upstream.in_real_time:
            return asyncio.run(_play(story, scenario, parts, settings))
        return run_virtual(lambda: _play(story, scenario, parts, settings), limit_s=LIMIT_S)
    except BaseExceptionGroup as group:
        first = first_of(group)
        if not isinstance(first, Exception):
            raise first from group
        raise ReplayError(f"the call broke: {type(first).__name__}: {first}") from first


async def _play(story: Story, scenario: Scenario, parts: EngineParts, settings: Settings) -> RunResult:
    script = Script(story)
    caller = ReplayCaller(script)
    # A cassette has ids of its own, which the engine may have counted, too: an item of both would be one item.
    new_id = CountingIds("again" if story.upstream.kind is UpstreamKind.CASSETTE else "")
    is_engine = story.upstream.kind is UpstreamKind.URL and bool(await known.is_engine(story.upstream.url))
    answers = answering(story, parts, settings, new_id, is_engine=is_engine)
    frames = KeptFrames(settings)
    recorded = RecordedUpstream(answers.upstream, frames.keep)
    upstream = TappedUpstream(recorded)
    entries: list[Logged] = []

    def record(_call_id: str, at_ms: int, entry: journal.Entry) -> None:
        entries.append(Logged(at_ms, entry.event, entry.as_dict()))

    session = Session(
        call_id=CALL_ID,
        scenario=scenario,
        agent=story.agent or scenario.start,
        leg=caller,
        upstream=upstream,
        settings=settings,
        record=record,
        new_id=new_id,
        text_model=recorded.text_models(answers.text_model),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(caller.run(), name="caller")
        reason = await session.run()
    script.ended_by_peer(reason)
    await asyncio.sleep(GRACE_S)
    return RunResult(
        story=story,
        road="live" if story.upstream.in_real_time else "virtual",
        said=bytes(script.said),
        heard=bytes(script.heard),
        played=tuple(script.played),
        messages=tuple(script.messages),
        journal=tuple(entries),
        reason=script.reason or reason,
        stuck=script.stuck,
        underruns=session.call.speech.playout.underruns,
        leaked_tasks=len(asyncio.all_tasks()) - 1,
        made={item: bytes(audio) for item, audio in upstream.made.items()},
        pieces=upstream.pieces,
        cassette=frames.scrubbed(),
        mismatches=tuple(answers.cassette.mismatches) if answers.cassette else (),
        uncompared=answers.cassette.uncompared if answers.cassette else 0,
    )
