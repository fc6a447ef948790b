"""`rtbridge talk`: one call from a file or a microphone, its transcript on the terminal as it happens.

The caller waits for the greeting when a file speaks, says it, and hangs up when the agent has answered and fallen
silent. Against a running bridge the call is WebRTC in real time; without --url the bridge and the offline engine run
in this process, a file on the virtual clock and so faster than real time, a microphone in real time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import wave
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, TextIO

from rtbridge.agents.mcp_thread import McpThread
from rtbridge.agents.scenario import Scenario, default_root, load_scenarios
from rtbridge.core import pcm
from rtbridge.errors import ReplayError, ScenarioError, StoryError
from rtbridge.replay.clock import run_virtual
from rtbridge.replay.sound import BadSound, read_sound
from rtbridge.replay.talk_roads import call_in_process, call_on_wire
from rtbridge.replay.talk_source import FileSource, MicrophoneSource, Source
from rtbridge.replay.talker import Talker
from rtbridge.replay.transcript import Transcript
from rtbridge.settings import Settings

FIRST_SCENARIO: Final = "simple_handoff"  # of the shipped ones
MAX_FILE_S: Final = 1_800
NOT_CARRIED_OUT: Final = 3
INTERRUPTED: Final = 130


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Call; 0 when the call came to its end, 3 when it could not be carried out, 130 after Ctrl-C.

    Raises RtbridgeError for what cannot be begun. What was heard is written whatever the end.
    """
    source = _source(args)
    talker = Talker(source, waits_for_greeting=isinstance(source, FileSource) and not args.now)
    transcript = Transcript(sys.stdout)
    talker.told = transcript.event
    code = 0
    try:
        _call(args, settings, talker)
    except ReplayError as error:
        print(f"rtbridge: {error}", file=sys.stderr)
        code = NOT_CARRIED_OUT
    except KeyboardInterrupt:
        print("hung up", file=sys.stderr)
        code = INTERRUPTED
    if talker.heard:
        _write(args.out, bytes(talker.heard), sys.stdout)
    if code == 0 and source.is_empty:
        raise StoryError("-: nothing came on standard input: pipe raw PCM into it, 16-bit mono")
    return code


def _call(args: argparse.Namespace, settings: Settings, talker: Talker) -> None:
    if args.url:
        key = settings.api_keys[0].get_secret_value() if settings.api_keys else ""
        asyncio.run(call_on_wire(talker, url=args.url, scenario=args.scenario, agent=args.agent, api_key=key))
        return
    root = args.scenarios or settings.scenarios or default_root()
    scenario = _chosen(load_scenarios(root, tool_timeout_s=settings.tool_timeout_s), args.scenario, root)
    if args.agent and args.agent not in scenario.agents:
        there = ", ".join(scenario.agents)
        raise ScenarioError(f"{scenario.id} has no agent {args.agent!r}; there are: {there}")
    from rtbridge.engine.load import load_parts  # takes seconds

    parts = load_parts(brains=root, model_dir=settings.model_dir, moderation_words=settings.moderation_words)

    def call() -> Coroutine[Any, Any, None]:
        return call_in_process(talker, scenario=scenario, agent=args.agent, parts=parts, settings=settings)

    with McpThread([scenario.mcp], connect_timeout_s=settings.mcp_connect_timeout_s):
        if isinstance(talker.source, FileSource):
            run_virtual(call, limit_s=MAX_FILE_S + 600)
        else:
            asyncio.run(call())


def _chosen(scenarios: dict[str, Scenario], wanted: str | None, root: Path) -> Scenario:
    name = wanted or (FIRST_SCENARIO if FIRST_SCENARIO in scenarios else next(iter(scenarios)))
    if name not in scenarios:
        raise ScenarioError(f"{root}: no scenario {name!r}; there are: {', '.join(sorted(scenarios))}")
    return scenarios[name]


def _source(args: argparse.Namespace) -> Source:
    if str(args.file) == "-":
        if sys.stdin.isatty():
            raise StoryError(
                "-: standard input is a terminal: pipe a microphone into it, for instance "
                "arecord -q -t raw -f S16_LE -c 1 -r 24000 | rtbridge talk -"
            )
        if not 8_000 <= args.rate <= 192_000:
            raise StoryError(f"--rate {args.rate}: samples a second, 8000 to 192000")
        return MicrophoneSource(sys.stdin.fileno(), args.rate)
    if not args.file.is_file():
        raise StoryError(f"{args.file}: there is no such file; `-` reads a microphone from standard input")
    try:
        return FileSource(read_sound(args.file, str(args.file), max_s=MAX_FILE_S).pcm)
    except BadSound as error:
        raise StoryError(f"{args.file}: {error}") from error


def _write(file: Path, heard: bytes, out: TextIO) -> None:
    try:
        with file.open("wb") as held, wave.open(held, "wb") as answer:
            answer.setnchannels(1)
            answer.setsampwidth(pcm.SAMPLE_BYTES)
            answer.setframerate(pcm.RATE)
            answer.writeframes(heard)
    except OSError as error:
        raise StoryError(f"{file}: the answer cannot be written: {error.strerror}") from error
    print(f"{file}: what was heard, {len(heard) / pcm.SAMPLE_BYTES / pcm.RATE:.1f} s", file=out)
