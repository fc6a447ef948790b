"""Keys of a story: pressed one after the other by the call's own time, and told to the bridge by the caller's leg."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from replay_rig import Agent, failures, logged, played_through, run, story, turn
from rtbridge.core import pcm
from rtbridge.core.leg import Hear, LegKey, LegUp
from rtbridge.replay.caller import ReplayCaller
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.evidence import look
from rtbridge.replay.script import KEY_MS, Message, Script
from rtbridge.replay.story import Anchor, CallExpect, TranscriptExpect, Turn


def pressing(keys: str) -> Turn:
    return replace(turn("keys", after=Anchor.CALL_START, delay_ms=500), sound=None, press=keys)


def test_keys_are_pressed_200_ms_apart_and_the_turn_ends_with_the_last() -> None:
    script, at_ms = Script(story(pressing("12#"))), []
    agent = Agent([(2000, 2500)])
    for n in range(200):
        script.tick(agent.frame(n))
        at_ms += [(key, script.now_ms - pcm.FRAME_MS) for key in script.pressed]
        script.pressed.clear()
    assert at_ms == [("1", 500), ("2", 500 + KEY_MS), ("#", 500 + 2 * KEY_MS)]
    (played,) = script.played
    assert pcm.ms_of_samples(played.speech_end) == 500 + 2 * KEY_MS + pcm.FRAME_MS


def test_a_caller_who_presses_keys_says_nothing_meanwhile() -> None:
    script = Script(story(pressing("123456")))
    run(script, Agent([(3000, 3500)]))
    assert max(abs(sample) for sample in memoryview(bytes(script.said)).cast("h")) <= 2


def test_keys_reach_the_bridge_with_the_frame_in_which_they_were_pressed() -> None:
    async def call() -> list[tuple[str, int]]:
        caller, seen, heard = ReplayCaller(Script(story(pressing("7#")))), [], 0

        def hear(chunk: bytes) -> None:
            nonlocal heard
            heard += pcm.samples_of(chunk)

        hearing: Hear = hear
        caller.attach(pull=pcm.silence, hear=hearing)
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(caller.run())
            async for event in caller.events():
                if isinstance(event, LegKey):
                    seen.append((event.key, pcm.ms_of_samples(heard)))
                else:
                    assert isinstance(event, LegUp) or not caller._closed
        return seen

    assert run_virtual(call, limit_s=120) == [("7", 520), ("#", 520 + KEY_MS)]


def test_what_was_pressed_is_known_on_the_wire_by_the_item_that_was_made_of_it() -> None:
    content = [{"type": "input_text", "text": "The caller pressed 1 2 #."}]
    item = {"type": "message", "role": "user", "content": content}
    added = Message(1000, {"type": "conversation.item.added", "item": item})
    expect = CallExpect(transcript=(TranscriptExpect("caller", "pressed 1 2 #", None),))
    result = played_through(story(pressing("12#"), expect=expect), [(2000, 2500)], messages=[added])
    assert look(result).caller_said == ((1000, "The caller pressed 1 2 #."),)
    assert failures(result) == []


def test_a_key_that_stops_the_agent_is_an_interruption() -> None:
    keys = replace(
        pressing("1#"), start=replace(turn("x").start, after=Anchor.AGENT_SPEECH_START, delay_ms=400)
    )
    entry = logged(920, "barge_in.confirmed", item_id="item_1", heard_ms=420)
    (seen,) = look(played_through(story(keys), [(500, 920), (2000, 2500)], [entry])).turns
    assert (seen.barged_in, seen.stop_ms) == (True, 20.0)
