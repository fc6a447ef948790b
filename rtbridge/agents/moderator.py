"""Moderator: runs a scenario's guardrails over everything that is said in a call.

An agent's words are checked sentence by sentence as its transcript comes, and once more as a whole, since what is
harmless in parts may not be so together. A caller's words are checked when their transcript is there. The first
sentence that trips settles the item at once; a pass needs the whole answer. A guardrail that raises or is late leaves
the item `unchecked`, never passed. Nothing here holds audio back: every verdict on a stretch of text is reported, and
core/guarding.py has it obeyed.

`noted` and `said` never block; `run` is a task of the call's TaskGroup.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from agents import InputGuardrail, OutputGuardrail, RunContextWrapper
from rtbridge.agents.moderation import Guardrail, Judged
from rtbridge.core import journal
from rtbridge.core.asks import Judged as Verdict

WORKERS: Final = 4  # checks at once
MAX_WAITING: Final = 256  # checks that wait for a worker: sentences of minutes, whose text may come at once
FIRST_SOONER_S: Final = 0.25  # what it takes a model to say something else in time
MAX_ITEMS: Final = 256  # remembered, for words that come late
MAX_CHARS: Final = 16_000  # of one check
LONGEST_SENTENCE: Final = 400  # characters; a longer one is checked in pieces
SHOWN_CHARS: Final = 1_000  # of the text in an entry

_END = re.compile(r"""[.!?…]+["'”’)\]]*\s|[。！？\n]""")

log = structlog.get_logger("rtbridge.agents")


def sentences(text: str) -> Iterator[str]:
    """Yield the complete sentences at the beginning of `text`; joined, they are a prefix of it.

    What has no end yet is not yielded, unless it is longer than 400 characters.
    """
    at = 0
    while True:
        end = _END.search(text, at, at + LONGEST_SENTENCE)
        if end is not None:
            stop = end.end()
        elif len(text) - at > LONGEST_SENTENCE:
            space = text.rfind(" ", at, at + LONGEST_SENTENCE)
            stop = space + 1 if space > at else at + LONGEST_SENTENCE
        else:
            return
        yield text[at:stop]
        at = stop


@dataclass(frozen=True, slots=True)
class _Result:
    state: str  # pass | fail | unchecked
    category: str | None
    rationale: str | None
    text: str
    latency_ms: int


@dataclass(slots=True)
class _Item:
    """What was said in one message item, and how far it is checked."""

    item_id: str
    who: str
    text: str = ""
    cut: int = 0  # up to where sentences were taken
    taken: int = 0  # sentences with words
    waiting: int = 0  # checks without a result
    whole: str | None = None  # the words of the finished item
    state: str = ""
    result: _Result | None = None  # of the whole
    stopped: bool = False  # no more of it is heard


@dataclass(frozen=True, slots=True)
class _Check:
    item: _Item
    text: str
    start: int  # of the stretch that it speaks for, in characters of the item's text; nothing is empty
    end: int
    is_whole: bool
    is_first: bool
    since_s: float


class Moderator:
    """The guardrails of one call. Times are loop time in seconds."""

    def __init__(
        self,
        guardrails: Sequence[Guardrail],
        *,
        context: object,
        agent: Callable[[], Any],
        note: Callable[[journal.Entry], None],
        report: Callable[[Verdict], None],
        timeout_s: float,
        now: Callable[[], float],
        off: Callable[[str], bool] = lambda agent: False,
    ) -> None:
        """Run `guardrails`; `agent` returns who speaks, `note` takes GuardrailJudged entries, `report` verdicts.

        An answer's first sentence has 0.25 s less than `timeout_s`: somebody waits for it in silence, and what is
        said in its place has to begin in that time. Agents that are `off` are not checked.
        """
        self._of: dict[str, list[Guardrail]] = {
            "agent": [one for one in guardrails if isinstance(one, OutputGuardrail)],
            "caller": [one for one in guardrails if isinstance(one, InputGuardrail)],
        }
        self._context: RunContextWrapper[Any] = RunContextWrapper(context)
        self._agent = agent
        self._note = note
        self._report = report
        self._off = off
        self._timeout_s = timeout_s
        self._now = now
        self._items: dict[str, _Item] = {}
        self._checks: asyncio.Queue[_Check] = asyncio.Queue(MAX_WAITING)

    # -- what is said -------------------------------------------------------------------------------------
    def noted(self, entry: journal.Entry) -> None:
        """Take an entry of the journal: of interest is what ends an item, and what callers say."""
        match entry:
            case journal.AgentSaid(item_id=item_id, agent=agent, text=text):
                if not self._off(agent):
                    self.done(item_id, text)
            case journal.CallerSaid(item_id=item_id, text=text):
                self.caller(item_id, text)
            case journal.ItemHeard(item_id=item_id) | journal.ItemDeleted(item_id=item_id):
                if item_id in self._items:  # cut short: there will be no more of it
                    self.done(item_id, self._items[item_id].text)
            case journal.GuardrailTripped(item_id=item_id, state=state) if item_id in self._items:
                item = self._items[item_id]
                item.stopped = True
                if item.state != state:
                    self._tell(item, state)

    def said(self, item_id: str, more: str) -> None:
        """Take the next piece of an agent's item; sentences that are complete with it are checked."""
        item = self._item(item_id, "agent")
        if item is None:
            return
        item.text += more
        for sentence in sentences(item.text[item.cut :]):
            self._sentence(item, sentence)

    def done(self, item_id: str, text: str) -> None:
        """Take an agent's whole item: its last sentence is checked, and all of it together."""
        item = self._item(item_id, "agent")
        if item is None or item.whole == text:
            return
        fits = text.startswith(item.text[: item.cut])
        if fits:
            for sentence in (*sentences(text[item.cut :]), None):
                self._sentence(item, text[item.cut :] if sentence is None else sentence)
        item.text = item.whole = text
        item.cut = len(text)
        if text.strip() and not (fits and item.taken == 1):
            self._check(item, text, (0, 0 if fits else len(text)), is_whole=True)
        self._settle(item)

    def caller(self, item_id: str, text: str) -> None:
        """Take what a caller said or typed."""
        item = self._item(item_id, "caller")
        if item is not None and item.whole != text and text.strip():
            item.text = item.whole = text
            self._check(item, text, (0, len(text)), is_whole=True)

    # -- checks -------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Check until cancelled; what is not decided then is unchecked."""
        if not any(self._of.values()):
            return
        try:
            async with asyncio.TaskGroup() as workers:
                for number in range(WORKERS):
                    workers.create_task(self._work(), name=f"moderation-{number}")
        finally:
            for item in self._items.values():
                if item.state == "pending":
                    self._tell(item, "unchecked", rationale="the call ended before it was checked")

    async def _work(self) -> None:
        while True:
            check = await self._checks.get()
            self._take(check, await self._judge(check))

    async def _judge(self, check: _Check) -> _Result:
        category, rationale = "NONE", None
        within_s = self._timeout_s - min(FIRST_SOONER_S, self._timeout_s / 2) * check.is_first
        for guardrail in self._of[check.item.who]:
            try:
                async with asyncio.timeout(within_s) as limit:
                    tripped, found, why = await self._ask(guardrail, check.text)
            except Exception as error:  # noqa: BLE001 - the border to classifiers, which may fail in any way
                late = isinstance(error, TimeoutError) and limit.expired()
                words = f"gave no answer within {within_s:g} s" if late else "failed"
                log.warning("guardrail.failed", guardrail=guardrail.get_name(), error=type(error).__name__)
                return self._result(check, "unchecked", None, f"the guardrail {guardrail.get_name()} {words}")
            if tripped:
                return self._result(check, "fail", found, why)
            category, rationale = found, why
        return self._result(check, "pass", category, rationale)

    async def _ask(self, guardrail: Guardrail, text: str) -> tuple[bool, str, str | None]:
        """Return (tripped, category, rationale)."""
        if isinstance(guardrail, OutputGuardrail):
            output = (await guardrail.run(self._context, self._agent(), text)).output
        else:
            output = (await guardrail.run(self._agent(), text, self._context)).output
        tripped, info = output.tripwire_triggered, output.output_info
        if isinstance(info, Judged):
            return tripped, info.category, info.rationale
        return tripped, guardrail.get_name() if tripped else "NONE", None if info is None else str(info)

    def _result(self, check: _Check, state: str, category: str | None, rationale: str | None) -> _Result:
        latency_ms = round((self._now() - check.since_s) * 1000)
        return _Result(state, category, rationale, check.text, latency_ms)

    # -- where items stand --------------------------------------------------------------------------------
    def _item(self, item_id: str, who: str) -> _Item | None:
        """Return the item; None when nothing of `who` is checked, or the item has failed already."""
        if not self._of[who]:
            return None
        item = self._items.setdefault(item_id, _Item(item_id, who))
        while len(self._items) > MAX_ITEMS:
            del self._items[next(iter(self._items))]
        return None if item.state == "fail" or item.stopped else item

    def _sentence(self, item: _Item, text: str) -> None:
        start, item.cut = item.cut, item.cut + len(text)
        if text.strip():
            item.taken += 1
            self._check(item, text, (start, item.cut), is_whole=False)
        elif text:
            self._report(Verdict(item.item_id, "pass", start, item.cut, item.who))

    def _check(self, item: _Item, text: str, stretch: tuple[int, int], *, is_whole: bool) -> None:
        if item.state == "fail" or item.stopped:
            return
        item.waiting += 1
        if item.state != "pending":
            self._tell(item, "pending")
        is_first = item.who == "agent" and stretch[0] == 0 and not is_whole
        check = _Check(item, text.strip(), *stretch, is_whole, is_first, self._now())
        if len(check.text) > MAX_CHARS:
            self._take(check, self._result(check, "unchecked", None, "it is too long to be checked"))
        elif self._checks.full():
            self._take(check, self._result(check, "unchecked", None, "too many checks were waiting"))
        else:
            self._checks.put_nowait(check)

    def _take(self, check: _Check, result: _Result) -> None:
        item = check.item
        item.waiting -= 1
        if item.state == "fail" or item.stopped:
            return
        if result.state == "fail":
            self._show(item, result)
        if result.state == "fail" or check.end:
            why = result.category if result.state == "fail" else None
            verdict = Verdict(item.item_id, result.state, check.start, check.end, item.who, why or "")
            self._report(verdict)
            if item.state == "fail" or item.stopped:
                return
        if check.is_whole or (item.result is None and item.taken == 1):
            item.result = result
        self._settle(item)

    def _settle(self, item: _Item) -> None:
        """Say how a finished item was judged, once all of its checks are done."""
        if (
            item.whole is not None
            and not item.waiting
            and item.state == "pending"
            and item.result is not None
        ):
            self._show(item, item.result)

    def _show(self, item: _Item, result: _Result) -> None:
        text = result.text
        self._tell(
            item,
            result.state,
            category=result.category,
            rationale=result.rationale,
            text=text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…",
            latency_ms=result.latency_ms,
        )

    def _tell(self, item: _Item, state: str, **facts: Any) -> None:
        item.state = state
        self._note(journal.GuardrailJudged(item.item_id, state, who=item.who, **facts))
