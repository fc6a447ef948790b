"""What answers a story: the engine in memory, a cassette, or an upstream of the world in real time.

The virtual clock waits for nobody outside the process; so a story with `upstream = "openai"` or a URL runs on an
ordinary clock instead, as long as its call takes, and promises no two runs alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rtbridge.agents.local_text import LocalTextModel
from rtbridge.engine.memory import MemoryUpstream
from rtbridge.engine.parts import EngineParts
from rtbridge.errors import StoryError
from rtbridge.replay.story import Story, UpstreamChoice, UpstreamKind
from rtbridge.replay.tables import Table, suggest
from rtbridge.settings import Settings
from rtbridge.upstream.cassette import CassetteUpstream
from rtbridge.upstream.dial import dial_openai, dial_url
from rtbridge.upstream.frames import read_cassette
from rtbridge.upstream.port import Capabilities, Upstream
from rtbridge.upstream.text import TextModels, openai_text_models

ENGINE: Final = Capabilities(is_engine=True, word_times=True)
_FORMS: Final = 'write "engine", "cassette:FILE.jsonl", "openai", or a ws:// or wss:// URL'


@dataclass(frozen=True, slots=True)
class Answering:
    """An upstream made for one run of a story."""

    upstream: Upstream
    text_model: TextModels | None
    cassette: CassetteUpstream | None = None


def read_choice(top: Table, find: Callable[[str], Path | None]) -> UpstreamChoice:
    """Take the key `upstream` of a story; `find` looks for its files where all of them are looked for."""
    value = top.text("upstream")
    line = top.problems.line(("upstream",))
    if value is None or value == "engine":
        return UpstreamChoice(line=line)
    if value == "openai":
        return UpstreamChoice(UpstreamKind.OPENAI, line)
    if value.startswith(("ws://", "wss://")):
        return UpstreamChoice(UpstreamKind.URL, line, url=value)
    kind, colon, name = value.partition(":")
    if kind == "cassette" and colon:
        file = find(name) if name else None
        if file is None:
            where = "beside the story, or in the folder of its scenario"
            top.add("upstream", f'no cassette "{name}": it lies {where}, and `rtbridge record` makes one')
        return UpstreamChoice(UpstreamKind.CASSETTE, line, file=file)
    near = suggest(value, ("engine", "openai"), near_only=True)
    top.add("upstream", f'no upstream "{value[:80]}"{near or f": {_FORMS}"}')
    return UpstreamChoice(line=line)


def refusal(story: Story, settings: Settings, *, wire: bool) -> str | None:
    """Return why this story cannot be played as asked for, naming file and line, or None."""
    choice = story.upstream
    where = f"{story.file}:{choice.line}"
    if choice.kind is UpstreamKind.CASSETTE and wire:
        return f"{where}: a cassette answers on the virtual road only: leave --wire out"
    if wire:
        return None  # what the bridge out there talks to is its own affair
    if choice.in_real_time and story.faults:
        return f"{where}: faults are the engine's: they cannot be had from {choice.url or choice.kind.value}"
    if choice.kind is UpstreamKind.CASSETTE and story.faults:
        return f"{where}: faults are the engine's: a cassette answers as it was recorded"
    if choice.kind is UpstreamKind.OPENAI and settings.openai_api_key is None:
        return f'{where}: upstream = "openai" needs a key: set OPENAI_API_KEY, or write upstream = "engine"'
    return None


def answering(
    story: Story,
    parts: EngineParts,
    settings: Settings,
    new_id: Callable[[str], str],
    *,
    is_engine: bool = False,
) -> Answering:
    """Make the upstream of one run. `is_engine`: a URL was found to be an engine. Raises StoryError, SettingsError."""
    choice = story.upstream

    def local(name: str) -> LocalTextModel:
        return LocalTextModel(parts.text, name)

    match choice.kind:
        case UpstreamKind.ENGINE:
            memory = MemoryUpstream(parts, capabilities=ENGINE, new_id=new_id, faults=story.faults)
            return Answering(memory, local)
        case UpstreamKind.CASSETTE:
            if choice.file is None:
                raise StoryError(f"{story.file}:{choice.line}: its cassette is not there")
            recording = read_cassette(choice.file)
            cassette = CassetteUpstream(recording)
            if recording.texts is None:  # from before text models were recorded
                return Answering(cassette, local, cassette)
            return Answering(cassette, cassette.texts.find if recording.texts else None, cassette)
        case UpstreamKind.OPENAI:
            return Answering(dial_openai(settings), openai_text_models(settings))
        case UpstreamKind.URL:
            key = settings.upstream_api_key
            secret = key.get_secret_value() if key else ""
            models = openai_text_models(settings) if settings.openai_api_key else local
            model = "" if is_engine else settings.model
            capabilities = ENGINE if is_engine else Capabilities()
            dialled = dial_url(choice.url, model=model, api_key=secret, capabilities=capabilities)
            return Answering(dialled, models)
