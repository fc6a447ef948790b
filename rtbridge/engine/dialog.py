"""One agent's side of a conversation, as a pure state machine over what was heard.

`Memory` is all it knows, and every step makes a new one: the wits replay the whole conversation through
these steps at every turn and keep nothing, so a reconnect, a truncated answer or another process makes no
difference. A step decides in this order: a read-back waiting for yes or no, the grammar of the slot that
was asked for, short yes and no, free text that a pattern finds, meaning, free text as a whole, a yes or no
at either end of more words, and at last that it was not understood.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rtbridge.engine import parts, slots
from rtbridge.engine.bank import about, is_named
from rtbridge.engine.brain_file import Act, Agent, BrainFile, Entry, Intent
from rtbridge.engine.heard import leaning, yes_no
from rtbridge.engine.intent import Matcher
from rtbridge.engine.lines import choose, fill, fill_all, look_up
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.reading import json_or_text
from rtbridge.engine.results import plain_result


@dataclass(frozen=True, slots=True)
class Memory:
    """Where an agent's conversation stands."""

    state: str
    facts: Mapping[str, Any] = field(default_factory=dict)  # slot -> value
    sure: frozenset[str] = frozenset()  # slots whose read-back was confirmed
    pending: str = ""  # the intent that waits for slots
    asking: str = ""  # the slot that was asked for last
    confirming: str = ""  # the slot that was read back last
    told: tuple[str, ...] = ()  # bank entries told
    misses: int = 0  # turns not understood in a row
    turns: int = 0
    heard: str = ""  # the caller's last turn
    last: str = ""  # what was said last, without what introduced a repetition
    used: Mapping[tuple[str, ...], str] = field(default_factory=dict)  # lines -> which of them was said last


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from one event."""

    memory: Memory
    acts: tuple[parts.Act, ...]
    intent: str = ""  # what was understood to be meant; "" for none

    @property
    def understood(self) -> bool:
        """Return whether anything was."""
        return bool(self.intent)


class Dialog:
    """The machine of one agent."""

    def __init__(self, agent: Agent, file: BrainFile, matcher: Matcher, meaning: Meaning) -> None:
        self.agent = agent
        self._file = file
        self._matcher = matcher
        self._meaning = meaning
        self._intents = {intent.name: intent for intent in agent.intents}

    def begin(self, before: Memory | None) -> Memory:
        """Return the memory of an agent that takes over, with what the agent before it learned."""
        if before is None:
            return Memory(self.agent.start)
        return Memory(self.agent.start, before.facts, before.sure, told=before.told, turns=before.turns)

    def open(self, memory: Memory, overheard: str, visit: int) -> Step:
        """Speak first, for the `visit`-th time (from 1).

        What the caller said to the agent before counts if it answers what would be asked.
        """
        state = self.agent.states.get(memory.state)
        slot = self.agent.slots.get(state.asks) if state else None
        if slot and state and (value := slots.asked_for(slot, overheard)):
            return self._fill(memory, slot.name, value, state.then)
        line = choose(self.agent.opening, memory.facts, turn=visit - 1)
        return Step(replace(memory, last=line), (parts.Say(line),))

    def hear(self, memory: Memory, text: str) -> Step:
        """Take the caller's turn `text`."""
        memory = replace(memory, turns=memory.turns + 1, heard=text)
        return (
            self._confirmed(memory, text)
            or self._slot_told(memory, text)
            or self._answer(memory, yes_no(text))
            or self._text_found(memory, text)
            or self._meant(memory, text)
            or (self._answer(memory, "no") if leaning(text) == "no" else None)
            or self._text_whole(memory, text)
            or self._answer(memory, leaning(text))
            or self._lost(memory)
        )

    def nudge(self, memory: Memory) -> Step:
        """Speak once more though nothing happened: say differently what is wanted."""
        return self._lost(memory)

    def get(self, memory: Memory, tool: str, output: str) -> Step:
        """Take a tool's result."""
        result = json_or_text(output)
        of_result = result if isinstance(result, dict) else {}
        known = {"state": memory.state, **memory.facts, **of_result, "result": result}
        for reply in self.agent.replies:
            fits = reply.tool == tool and all(
                look_up(path, known) == want for path, want in reply.when.items()
            )
            if fits and _can_say(reply.act, known):
                return self._act(memory, reply.act, known)
        return self._said(memory, plain_result(result))

    # the ways to take a turn, each a Step or None

    def _confirmed(self, memory: Memory, text: str) -> Step | None:
        name = memory.confirming
        if not name:
            return None
        slot = self.agent.slots[name]
        if value := slots.told(slot, text):
            return self._fill(memory, name, value, memory.pending)
        match yes_no(text):
            case "yes":
                sure = replace(memory, sure=memory.sure | {name}, confirming="", misses=0)
                return self._do(sure, self._intents[memory.pending])
            case "no":
                facts = {key: value for key, value in memory.facts.items() if key != name}
                step = self._ask(replace(memory, facts=facts, confirming=""), name, again=False)
                return replace(step, intent="no")
        return None

    def _slot_told(self, memory: Memory, text: str) -> Step | None:
        state = self.agent.states.get(memory.state)
        for name, then in ((memory.asking, memory.pending), (state.asks, state.then) if state else ("", "")):
            if name and (value := slots.told(self.agent.slots[name], text)):
                if name != memory.asking and self._wishes_with(memory, name, then, text):
                    return None  # "where is my order, my number is ...": the wish takes the number
                return self._fill(memory, name, value, then)
        return None

    def _wishes_with(self, memory: Memory, name: str, then: str, text: str) -> bool:
        """Return whether `text` means more than the slot `name` that nobody asked for: a wish that needs it."""
        intent = self._matcher.match(text, memory.state).intent
        return intent is not None and name in intent.needs and intent.name != then

    def _answer(self, memory: Memory, said: str | None) -> Step | None:
        for intent in self.agent.intents if said else ():
            if intent.grammar == said and (not intent.states or memory.state in intent.states):
                return self._do(memory, intent)
        return None

    def _text_found(self, memory: Memory, text: str) -> Step | None:
        state = self.agent.states.get(memory.state)
        if not state or not state.asks:
            return None
        slot = self.agent.slots[state.asks]
        value = slots.asked_for(slot, text)
        if value is None and slot.kind == "text" and state.then:
            act = self._intents[state.then].act
            bank = self._file.banks.get(act.pick_bank, ()) if act.pick_by == slot.name else ()
            named = slots.whole(slot, text)
            value = named if named and is_named(bank, named) else None
        return self._fill(memory, state.asks, value, state.then) if value else None

    def _meant(self, memory: Memory, text: str) -> Step | None:
        intent = self._matcher.match(text, memory.state).intent
        if intent is None:
            return None
        found = {name: self._in_passing(name, text) for name in intent.needs}
        told = {name: value for name, value in found.items() if value}
        facts = {**memory.facts, **told}
        return self._do(replace(memory, facts=facts, sure=memory.sure - told.keys()), intent)

    def _in_passing(self, name: str, text: str) -> str | None:
        """Return what a wish says of a slot that it needs: "my bill is high, my number is ..." needs no question."""
        slot = self.agent.slots[name]
        return slots.told(slot, text) or slots.asked_for(slot, text)

    def _text_whole(self, memory: Memory, text: str) -> Step | None:
        state = self.agent.states.get(memory.state)
        for name, then in ((memory.asking, memory.pending), (state.asks, state.then) if state else ("", "")):
            if name and self.agent.slots[name].kind == "text":
                value = slots.whole(self.agent.slots[name], text)
                if value:
                    return self._fill(memory, name, value, then)
        return None

    def _lost(self, memory: Memory) -> Step:
        if memory.asking:
            return self._ask(memory, memory.asking, again=True)
        state = self.agent.states.get(memory.state)
        lines = state.lost if state and state.lost else self.agent.lost
        line = choose(lines, memory.facts, turn=memory.misses, not_this=(memory.last,))
        return Step(replace(memory, misses=memory.misses + 1, last=line), (parts.Say(line),))

    # what is done then

    def _fill(self, memory: Memory, name: str, value: str, then: str) -> Step:
        filled = replace(
            memory,
            facts={**memory.facts, name: value},
            sure=memory.sure - {name},
            asking="",
            confirming="",
            misses=0,
        )
        slot = self.agent.slots[name]
        if slot.confirm:
            line = choose(slot.confirm, filled.facts, turn=filled.turns, not_this=(memory.last,))
            return replace(self._said(replace(filled, confirming=name, pending=then), line), intent=name)
        return self._do(filled, self._intents[then]) if then else Step(filled, (), name)

    def _ask(self, memory: Memory, name: str, *, again: bool) -> Step:
        slot = self.agent.slots[name]
        lines = (slot.again or slot.ask) if again else slot.ask
        line = choose(lines, memory.facts, turn=memory.misses, not_this=(memory.last,))
        return self._said(replace(memory, asking=name, misses=memory.misses + again), line)

    def _do(self, memory: Memory, intent: Intent) -> Step:
        for name in intent.needs:
            slot = self.agent.slots[name]
            waiting = replace(memory, pending=intent.name, misses=0)
            if name not in memory.facts:
                return replace(self._ask(waiting, name, again=False), intent=intent.name)
            if slot.confirm and name not in memory.sure:
                line = choose(slot.confirm, memory.facts, turn=memory.turns, not_this=(memory.last,))
                return replace(self._said(replace(waiting, confirming=name), line), intent=intent.name)
        act = intent.act
        if act.call or act.goto or act.pick_bank:
            memory = replace(memory, pending="", asking="", confirming="")
        # Mere talk is an aside: "sorry, what?" takes nothing away from the question that was asked.
        known = {"heard": memory.heard, **memory.facts}
        return replace(self._act(replace(memory, misses=0), act, known), intent=intent.name)

    def _act(self, memory: Memory, act: Act, known: dict[str, Any]) -> Step:
        lines = act.say
        if act.pick_bank:
            entry, is_about = self._pick(memory, act)
            known["picked"] = entry.text
            memory = replace(memory, told=(*memory.told, entry.text))
            lines = act.say if is_about else (act.say_unmatched or act.say)
        memory = replace(memory, state=act.goto or memory.state)
        acts: list[parts.Act] = []
        line = choose(lines, known, turn=memory.turns, not_this=(memory.last, memory.used.get(lines, "")))
        memory = replace(memory, used={**memory.used, lines: line})
        if act.repeat:
            acts.append(parts.Say(f"{line}\n{memory.last}".strip()))
        elif line:
            memory = replace(memory, last=line)
            acts.append(parts.Say(line))
        if act.call:
            acts.append(
                parts.Call(act.call, json.dumps(fill_all(dict(act.arguments), known), ensure_ascii=False))
            )
        return Step(memory, tuple(acts))

    def _said(self, memory: Memory, line: str) -> Step:
        return Step(replace(memory, last=line), (parts.Say(line),))

    def _pick(self, memory: Memory, act: Act) -> tuple[Entry, bool]:
        """Return an entry of the bank and whether it is about the subject asked for."""
        bank = self._file.banks[act.pick_bank]
        fresh = [entry for entry in bank if entry.text not in memory.told] or list(bank)
        subject = str(memory.facts.get(act.pick_by, "")) if act.pick_by else ""
        if subject and (entry := about(fresh, subject, self._meaning)):
            return entry, True
        general = [entry for entry in fresh if entry.any] or fresh
        return general[len(memory.told) % len(general)], False


def _can_say(act: Act, known: Mapping[str, Any]) -> bool:
    """Return whether a reply has something to say or do with what is known."""
    return bool(not act.say or act.pick_bank or any(fill(line, known) is not None for line in act.say))
