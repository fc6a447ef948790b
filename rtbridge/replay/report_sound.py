"""The sound of a report: what a browser plays, and the waveforms that are drawn from the same samples.

MP3 at a constant bit rate, since it is the one small format that every browser plays and seeks (Safari is late with
Opus in WebM and Ogg; FLAC is four times as long). What makes it exact: the Info header tells the encoder's delay and
padding, so that a decoder gives back as many samples as went in, at the same places; at 64 kbit/s and 24 kHz every
frame is 192 bytes, so that a byte's place is its time; and without a bit reservoir a frame needs none before it.
Three minutes are 1.4 MB. The waveforms are not drawn from the MP3 but from the recording: the lowest and the highest
sample of every 5 ms.
"""

from __future__ import annotations

import io
from typing import Final

import av
import av.audio
import numpy as np

from rtbridge.core import pcm

MEDIA_TYPE: Final = "audio/mpeg"
BIT_RATE: Final = 64_000
PEAK_MS: Final = 5
_PEAK_SAMPLES: Final = pcm.samples_of_ms(PEAK_MS)


def mp3_of(said: bytes, heard: bytes) -> bytes:
    """Return both sides (24 kHz mono s16le, of one length) as stereo MP3: left what was said, right what was heard."""
    sides = [np.frombuffer(side, "<i2") for side in (said, heard)]
    file = io.BytesIO()
    # Quality 7 takes half the CPU of the default, and its error is the smaller one at this rate for speech.
    options = {"compression_level": "7", "reservoir": "0", "joint_stereo": "0"}
    with av.open(file, "w", format="mp3") as out:
        stream = out.add_stream("libmp3lame", rate=pcm.RATE, options=options)
        assert isinstance(stream, av.audio.AudioStream)
        stream.layout = "stereo"
        stream.format = "s16p"
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(np.stack(sides)), "s16p", "stereo")
        frame.sample_rate = pcm.RATE
        frame.pts = 0
        for packets in (stream.encode(frame), stream.encode(None)):
            out.mux(packets)
    return file.getvalue()


def peaks_of(side: bytes) -> bytes:
    """Return lowest and highest sample of every 5 ms, each as one signed byte (1/128 of full scale), in turns."""
    samples = np.frombuffer(side, "<i2")
    whole = -(-len(samples) // _PEAK_SAMPLES)
    windows = np.zeros((whole, _PEAK_SAMPLES), np.int16)
    windows.reshape(-1)[: len(samples)] = samples
    ends = np.stack([windows.min(axis=1), windows.max(axis=1)], axis=1).astype(np.int32)
    return np.clip((ends + 128) // 256, -128, 127).astype(np.int8).tobytes()
