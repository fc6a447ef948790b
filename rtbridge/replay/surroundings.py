"""What a story speaks of beside itself: files around it, the agents of its scenario, the voice of its caller."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtbridge.replay.caller_voice import CallerVoice
from rtbridge.replay.sound import BadSound, Sound, read_sound
from rtbridge.replay.tables import Table, suggest


@dataclass(slots=True)
class Surroundings:
    """Of one story. What is looked for in vain is noted as a problem of the table that names it."""

    file: Path
    voice: CallerVoice
    scenario: str = ""
    agents: Sequence[str] | None = None  # None: they are not known here

    def agent_exists(self, table: Table, key: str, agent: str | None) -> None:
        """Note a problem at `key` when the scenario has no such agent."""
        if agent is not None and self.agents is not None and agent not in self.agents:
            table.add(key, f'no agent "{agent}" in this scenario{suggest(agent, self.agents)}')

    def find(self, value: str) -> Path | None:
        """Return the file that a story calls `value`; None where there is none, or none of its own scenario."""
        for root in self._roots():
            file = (root / value).resolve()
            if file.is_file() and file.is_relative_to(self._roots()[-1]):
                return file
        return None

    def sound(self, table: Table, key: str, value: str) -> Sound | None:
        """Return the sound of a file; None with a problem noted."""
        file = self.find(value)
        if file is None:
            if any((root / value).is_file() for root in self._roots()):
                table.add(key, f'"{value}" lies outside the scenario: copy it there')
            else:
                table.add(key, f'no file "{value}"{suggest(value, self._audio_files())}')
            return None
        try:
            return read_sound(file, label=value)
        except BadSound as error:
            table.add(key, f'`{key}` "{value}": {error}')
            return None

    def spoken(self, table: Table, key: str, words: str) -> Sound | None:
        """Return words as the caller says them; None with a problem noted."""
        try:
            return self.voice.speak(words, self.scenario)
        except BadSound as error:
            table.add(key, f'`{key}` "{words}": {error}')
            return None

    def _roots(self) -> list[Path]:
        """Return where a story's files are looked for: its own folder, and around a folder named stories."""
        folder = self.file.resolve().parent
        return [folder, folder.parent] if folder.name == "stories" else [folder]

    def _audio_files(self) -> list[str]:
        return [str(f.relative_to(root)) for root in self._roots() for f in sorted(root.glob("audio/*.*"))]


def pattern(table: Table, key: str) -> str | None:
    """Take a regular expression."""
    found = table.text(key)
    try:
        re.compile(found or "")
    except re.error as error:
        table.add(key, f"`{key}` is not a regular expression: {error}")
        return None
    return found
