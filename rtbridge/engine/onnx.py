"""One way to open an ONNX model: one thread, fixed options, from bytes that were checked.

A model on one thread gives the same bytes for the same input, and leaves the other cores to other calls.
Spinning is off because a waiting thread that spins steals the core that serves audio frames.
"""

from __future__ import annotations

from typing import Any

from rtbridge.engine.models import HOW_TO
from rtbridge.errors import MissingPart


def open_session(model: bytes) -> Any:
    """Return an `onnxruntime.InferenceSession` over `model` (.onnx or .ort). Raises MissingPart."""
    try:
        import onnxruntime as ort
    except ImportError as e:
        raise MissingPart(f"package onnxruntime is not installed: {HOW_TO}") from e
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
