"""Vectors on disk: kept between processes, and never trusted more than a cache may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtbridge.engine import vectors
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.vectors import DIMENSIONS, VectorFile


def made(value: float) -> np.ndarray:
    return np.full(DIMENSIONS, value, np.float32)


def test_what_was_saved_is_known_to_the_next_process(tmp_path: Path) -> None:
    first = VectorFile(tmp_path / "new", "a" * 64)
    first.put("the sea", made(0.5))
    first.save()
    again = VectorFile(tmp_path / "new", "a" * 64)
    kept = again.get("the sea")
    assert kept is not None
    assert np.array_equal(kept, made(0.5))
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"meaning-{'a' * 16}.npz"]


def test_another_model_has_another_file(tmp_path: Path) -> None:
    first = VectorFile(tmp_path, "a" * 64)
    first.put("the sea", made(0.5))
    first.save()
    assert VectorFile(tmp_path, "b" * 64).get("the sea") is None


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not a zip", b"\x00" * 100])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / f"meaning-{'a' * 16}.npz").write_bytes(damage)
    file = VectorFile(tmp_path, "a" * 64)
    assert file.get("the sea") is None
    file.put("the sea", made(1.0))
    file.save()
    assert VectorFile(tmp_path, "a" * 64).get("the sea") is not None


def test_vectors_of_another_shape_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / f"meaning-{'a' * 16}.npz"
    np.savez(path, texts=np.array(["the sea"]), vectors=np.zeros((1, 3), np.float32))
    assert VectorFile(tmp_path, "a" * 64).get("the sea") is None


def test_a_folder_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    file = VectorFile(tmp_path / "file" / "below", "a" * 64)
    file.put("the sea", made(1.0))
    file.save()
    assert file.get("the sea") is not None


def test_nothing_is_written_when_nothing_is_new_or_nowhere_to_write(tmp_path: Path) -> None:
    VectorFile(tmp_path, "a" * 64).save()
    nowhere = VectorFile(None, "a" * 64)
    nowhere.put("the sea", made(1.0))
    nowhere.save()
    assert list(tmp_path.iterdir()) == []


def test_the_file_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MOST", 2)
    file = VectorFile(None, "a" * 64)
    for text in ("one", "two", "three"):
        file.put(text, made(1.0))
    assert file.get("three") is None


def test_a_line_is_measured_once_for_all_processes(tmp_path: Path) -> None:
    class Counting:
        asked = 0

        def query(self, text: str | list[str]) -> np.ndarray:
            if isinstance(text, list):
                return np.zeros((len(text), DIMENSIONS), np.float32)
            Counting.asked += 1
            return made(len(text))

    first = Meaning(Counting(), VectorFile(tmp_path, "a" * 64))
    first.warm(["the sea", "a cat"]).join()
    assert Counting.asked == 2
    second = Meaning(Counting(), VectorFile(tmp_path, "a" * 64))
    second.warm(["the sea", "a cat"]).join()
    assert Counting.asked == 2
    assert np.array_equal(first.vector("the sea"), second.vector("the sea"))
