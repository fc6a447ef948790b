"""All parts of the engine, loaded once per process and warmed up.

The first run of a model allocates and is slow, so each is run once here and not in somebody's call. The
example utterances of the brains are measured by a thread of their own: a call needs them only after its
greeting, and what they are needed for waits for them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rtbridge.core.pcm import RATE, silence
from rtbridge.engine import models
from rtbridge.engine.brain import Brain, load_brains
from rtbridge.engine.classify import WordList
from rtbridge.engine.foreign import Foreigner
from rtbridge.engine.meaning import Meaning, load_meaning
from rtbridge.engine.parts import EngineParts, Study, TextModel, VadConfig, Wits, study_nothing
from rtbridge.engine.stt import MoonshineEars, load_moonshine
from rtbridge.engine.text_model import BrainText
from rtbridge.engine.tts import HibariVoice, load_hibari
from rtbridge.engine.vad import SileroModel, SileroVad, load_silero


@dataclass(frozen=True, slots=True)
class Models:
    """The weights of a process."""

    silero: SileroModel
    ears: MoonshineEars
    voice: HibariVoice
    meaning: Meaning


CACHE_DIR: Final = Path.home() / ".cache" / "rtbridge"  # may be deleted at any time
_loaded: dict[Path | None, Models] = {}
_lock = threading.Lock()


def load_models(model_dir: Path | None = None) -> Models:
    """Return the weights, loaded and warmed up once per process and folder. Raises MissingPart."""
    with _lock:
        if model_dir not in _loaded:
            fresh = Models(
                load_silero(model_dir),
                load_moonshine(model_dir),
                load_hibari(model_dir),
                load_meaning(model_dir, CACHE_DIR),
            )
            SileroVad(fresh.silero, VadConfig()).feed(silence(RATE // 10))
            spoken = b"".join(s.pcm for s in fresh.voice.speak("Hello, haikuish.", voice="sage", speed=1.0))
            fresh.ears.transcribe(spoken)
            fresh.meaning.vector("hello")
            _loaded[model_dir] = fresh
        return _loaded[model_dir]


def load_parts(
    *,
    brains: Path | None = None,
    model_dir: Path | None = None,
    brain_url: str = "",
    brain_model: str = "",
    brain_api_key: str | None = None,
    moderation_words: Path | None = None,
) -> EngineParts:
    """Return an engine's parts, ready to use. Blocking: 1 to 3 s the first time in a process.

    `brains` is a folder of scenario folders with a `brain.toml` each. With `brain_url` a text endpoint
    thinks in place of the offline lines. `moderation_words` is a file that adds to what moderation.toml
    knows. Raises MissingPart or ScenarioError.
    """
    files = load_brains(brains)
    loaded = load_models(model_dir)
    wits: Wits
    text: TextModel
    study: Study
    if brain_url:
        from rtbridge.engine.http_wits import HttpWits  # the openai package takes a second to import

        wits = text = HttpWits(brain_url, brain_model, brain_api_key)
        study = study_nothing
    else:
        wits = brain = Brain(files, loaded.meaning)
        text = BrainText(brain, Foreigner(loaded.meaning), {"moderation": WordList(moderation_words)})
        study = brain.study
        loaded.meaning.warm(brain.examples())
    return EngineParts(
        vad=lambda config: SileroVad(loaded.silero, config),
        ears=loaded.ears,
        voice=loaded.voice,
        wits=wits,
        text=text,
        study=study,
    )


def report(parts: EngineParts) -> dict[str, str]:
    """Return what the engine runs on: package versions, and how its wits think."""
    thinking = "offline lines" if isinstance(parts.wits, Brain) else "text endpoint"
    return {**models.versions(), "wits": thinking}
