// How loud a stream is, for the eye: 0 silence, 1 about as loud as speech gets. Nothing is recorded.

const FLOOR_DB = -55; // quieter than this is drawn as silence
const CEILING_DB = -15; // speech close to the microphone
const FALL = 0.88; // a frame's share of the one before it, so that the picture falls gently

/** Loudness 0..1 of one block of samples (-1..1): RMS on a decibel scale. */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}

/** A meter on `stream`: `read()` gives the level now, `close()` lets go of the stream. */
export function createMeter(context, stream) {
  const source = context.createMediaStreamSource(stream);
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024; // 21 ms at 48 kHz
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let level = 0;
  return {
    read() {
      analyser.getFloatTimeDomainData(samples);
      level = Math.max(loudness(samples), level * FALL);
      return level;
    },
    close() {
      source.disconnect();
    },
  };
}
