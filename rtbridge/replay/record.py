"""`rtbridge record SESSION --into PATH`: a recorded call becomes a story with its audio and its cassette.

    PATH/name.toml           the story: what the caller did, and expectations out of what happened
    PATH/name.jsonl          its cassette
    PATH/audio/name/*.wav    a file a turn, each under a megabyte; beside a folder `stories`, where stories look for it

What recording.py left is masked already; texts and frames go through the masking of keys once more, since the keys of
this machine's settings may be others. Everything is written beside its place, read back as a story, and only then
moved to where it belongs; whatever goes wrong, nothing is left of it.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import tempfile
import wave
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rtbridge.core import pcm
from rtbridge.errors import ReplayError, StoryError
from rtbridge.replay.read_story import load_story
from rtbridge.replay.sessions import CASSETTE, UNFINISHED, is_session, is_unfinished, left_out, load_session
from rtbridge.replay.story import Story
from rtbridge.replay.tables import suggest
from rtbridge.replay.write_story import story_toml
from rtbridge.settings import Settings
from rtbridge.upstream.scrub import Scrubber
from rtbridge.upstream.scrubbing import scrub_lines, secrets_of

AUDIO: Final = "audio"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a story and its files go."""

    story: Path
    cassette: Path
    audio: Path  # folder
    root: Path  # what the story's files are named from

    @property
    def all(self) -> tuple[Path, ...]:
        """Return what is made, the story last: without it the rest is nobody's."""
        return self.audio, self.cassette, self.story


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Make a story of the call that `args` names; return the exit code 0. Raises StoryError, ReplayError."""
    session = find_session(args.session, settings.record_dir)
    target = target_of(args.into, session.name)
    story = write(session, target, settings)
    said = sum(turn.sound is not None for turn in story.turns)
    size = target.cassette.stat().st_size / 1e6
    print(f"{target.story}: {len(story.turns)} turns, {said} with audio, and a cassette of {size:.1f} MB")
    for one in left_out(session):
        print(f"not in the story: {one}")
    print(f"next: rtbridge replay {target.story}")
    return 0


def find_session(named: str, record_dir: Path | None) -> Path:
    """Return the folder of a recorded call, given by path or by its id. Raises StoryError."""
    folder = Path(named)
    if not folder.exists() and record_dir is not None and folder.name == named:
        folder = record_dir / named
    if is_session(folder):
        return folder
    if is_unfinished(folder):
        raise StoryError(f"{folder}: {UNFINISHED}")
    if folder.exists():
        raise StoryError(
            f"{folder}: not a recorded call: that is a folder with a session.json, one of those in RTBRIDGE_RECORD_DIR"
        )
    near = folder.parent
    known = [one.name for one in near.iterdir() if is_session(one)] if near.is_dir() else []
    where = "" if record_dir is not None else ", or set RTBRIDGE_RECORD_DIR to find calls by their id"
    raise StoryError(f"{folder}: no recorded call there{suggest(folder.name, known, near_only=True)}{where}")


def target_of(into: Path, name: str) -> Target:
    """Return where the files of a story go. Raises StoryError where there is no place or something there already."""
    if into.suffix == ".toml":
        story = into if into.parent.name else into.absolute()  # whose folder may be called stories
    elif into.is_dir():
        home = into / "stories" if (into / "stories").is_dir() else into
        story = home / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)}.toml"
    else:
        raise StoryError(f"{into}: no such folder: make it, or name a file that ends in .toml")
    root = story.parent.parent if story.parent.name == "stories" else story.parent
    target = Target(story, story.with_suffix(".jsonl"), root / AUDIO / story.stem, root)
    for path in target.all:
        if path.exists():
            raise StoryError(f"{path}: there already: take another name with --into, or remove it first")
    return target


def write(session: Path, target: Target, settings: Settings) -> Story:
    """Write the story of a recorded call and all that it needs; return it as it is read back.

    Raises StoryError for a call that makes no story, and ReplayError when it cannot be written; nothing is left then.
    """
    told = load_session(session)
    made: list[Path] = []
    try:
        target.story.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".record-", dir=target.root) as scratch:
            draft = _at(target, Path(scratch))
            _write(told, session / CASSETTE, draft, settings)
            load_story(draft.story)
            target.audio.parent.mkdir(exist_ok=True)
            for new, final in zip(draft.all, target.all, strict=True):
                new.rename(final)
                made.append(final)
    except OSError as error:
        for path in made:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        what = error.strerror or type(error).__name__
        raise ReplayError(f"{target.story}: cannot be written: {what}; nothing was left of it") from error
    return load_story(target.story)


def _at(target: Target, root: Path) -> Target:
    """Return the same places under another root."""

    def moved(path: Path) -> Path:
        return root / path.relative_to(target.root)

    return Target(moved(target.story), moved(target.cassette), moved(target.audio), root)


def _write(told: Story, cassette: Path, target: Target, settings: Settings) -> None:
    scrubber = Scrubber(secrets_of(settings))
    for folder in (target.story.parent, target.audio):
        folder.mkdir(parents=True, exist_ok=True)
    sounds: dict[str, str] = {}
    for number, turn in enumerate(told.turns, start=1):
        if turn.sound is not None:
            file = target.audio / f"{number:03}.wav"
            file.write_bytes(_wav(turn.sound.pcm))
            sounds[turn.id] = file.relative_to(target.root).as_posix()
    lines, _ = scrub_lines(cassette.read_text("utf-8").rstrip("\n").split("\n"), scrubber)
    target.cassette.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    heading = (
        f"The recorded call {told.name}. What was said, typed and picked stands at its own time, since its cassette",
        "answers by the caller's samples; what is expected is what happened then, and may be changed.",
    )
    text = story_toml(
        replace(told, name=target.story.stem), f"cassette:{target.cassette.name}", sounds, heading
    )
    target.story.write_text(scrubber.mask(text), encoding="utf-8")


def _wav(sound: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(pcm.SAMPLE_BYTES)
        out.setframerate(pcm.RATE)
        out.writeframes(sound)
    return file.getvalue()
