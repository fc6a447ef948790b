"""The voice of a caller whose words a story has as text: one that no agent of the call speaks with.

Ears must not be tested against their own twin. So flite or espeak-ng speaks where one is installed (as a program,
never a dependency), else that voice of the engine which no agent has and which differs the most from theirs; a note in
the report says so. What was spoken is kept on disk by its content: the words, the voice, and what made it.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from rtbridge.agents.scenario import Scenario
from rtbridge.core import pcm
from rtbridge.errors import MissingPart
from rtbridge.replay.sound import MAX_S, BadSound, Sound, read_sound
from rtbridge.replay.spoken_cache import SpokenCache

SPEAK_TIMEOUT_S: Final = 30

# Programs with a voice that no agent has, best first; {out} and {text} are arguments of their own.
PROGRAMS: Final = {
    "flite": ("-voice", "slt", "-o", "{out}", "-t", "{text}"),
    "espeak-ng": ("-v", "en-us", "-w", "{out}", "{text}"),
}


@dataclass(frozen=True, slots=True)
class CallerVoice:
    """Speaks the texts of stories."""

    agents: Mapping[str, frozenset[str]] = field(default_factory=dict)  # their voices, by scenario
    model_dir: Path | None = None
    cache: SpokenCache = field(default_factory=SpokenCache)
    programs: tuple[str, ...] = tuple(PROGRAMS)  # those that may speak, best first

    @classmethod
    def among(cls, scenarios: Iterable[Scenario], model_dir: Path | None) -> CallerVoice:
        """Return the voice of whoever calls these scenarios."""
        return cls({one.id: voices_of(one) for one in scenarios}, model_dir)

    def speak(self, text: str, scenario: str) -> Sound:
        """Return `text` as a caller of `scenario` says it. Raises BadSound where nothing can speak it."""
        for program in self.programs:
            arguments = PROGRAMS[program]
            if found := shutil.which(program):
                key = (program, _version(found), *arguments, text)
                return Sound(text, self.cache.get_or_make(key, partial(_spoken, text, found, arguments)))
        try:
            return self._by_engine(text, self.agents.get(scenario, frozenset()))
        except (MissingPart, ImportError) as error:
            raise BadSound(
                f"text is spoken by one of {', '.join(PROGRAMS)}, or by the engine: install one of the programs, "
                "or pip install 'rtbridge[engine]', or say a WAV file instead"
            ) from error

    def _by_engine(self, text: str, taken: frozenset[str]) -> Sound:
        from rtbridge.engine import models, spoken, tts

        voice = free_voice(taken, {name: timbre.pitch for name, timbre in tts.VOICES.items()})
        made_by = (_fingerprint(tts.__file__), _fingerprint(spoken.__file__), models.HIBARI.sha256)

        def make() -> bytes:
            from rtbridge.engine.load import load_models

            said = load_models(self.model_dir).voice.speak(text, voice=voice, speed=1.0)
            return b"".join(sentence.pcm for sentence in said)

        audio = self.cache.get_or_make(("engine", *made_by, voice, text), make)
        if pcm.samples_of(audio) > MAX_S * pcm.RATE:
            raise BadSound(f"longer than {MAX_S} s; cut it into turns")
        if not audio:
            raise BadSound("there is nothing in it that can be spoken")
        whose = "an agent has it too, since all are taken" if voice in taken else "no agent has it"
        note = (
            f"texts of the caller are spoken by the engine's own voice {voice} ({whose}): with flite or espeak-ng "
            "installed, speech recognition would be tested against another synthesiser"
        )
        return Sound(text, audio, note)


def voices_of(scenario: Scenario) -> frozenset[str]:
    """Return every voice that an agent of `scenario` speaks with."""
    own = (settings.voice for settings in scenario.settings.values())
    return frozenset({scenario.voice, *(voice for voice in own if voice is not None)})


def free_voice(taken: frozenset[str], pitches: Mapping[str, float]) -> str:
    """Return the voice that is not `taken` and lies farthest from those in pitch; the lowest when all are."""
    free = [name for name in pitches if name not in taken] or [min(pitches, key=pitches.__getitem__)]
    theirs = [pitches[name] for name in taken if name in pitches] or [1.0]
    return max(free, key=lambda name: min(abs(math.log(pitches[name] / other)) for other in theirs))


def _spoken(text: str, program: str, arguments: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "spoken.wav")
        # The text is an argument of its own and led by a space: never a command, never an option.
        command = [program, *(a.format(out=out, text=f" {text}") for a in arguments)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=SPEAK_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise BadSound(f"{program} failed to speak it: {error}") from error
        return read_sound(out, label=text).pcm


@functools.lru_cache(maxsize=8)
def _version(program: str) -> str:
    """Return what tells one build of a program from the next, without running it."""
    found = os.stat(os.path.realpath(program))
    return f"{found.st_size} {found.st_mtime_ns}"


@functools.lru_cache(maxsize=8)
def _fingerprint(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
