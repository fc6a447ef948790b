// The sound and where it is. The recording lies in the page as base64 and becomes a blob of the page's own.
import { clamp } from "./time.js";

/** Bytes of base64. */
export function bytes(base64) {
  return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
}

/** Plays `audio`; `moved(ms)` is called whenever the position changed, `turned(playing)` when it starts or stops. */
export class Player {
  constructor(audio, recording, duration_ms, { moved, turned, failed }) {
    Object.assign(this, { audio, duration_ms, moved, turned });
    audio.src = URL.createObjectURL(new Blob([bytes(recording.textContent)], { type: recording.dataset.type }));
    audio.addEventListener("play", () => this.follow());
    for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, () => turned(!audio.paused));
    for (const name of ["seeked", "pause", "ended"]) audio.addEventListener(name, () => moved(this.at));
    audio.addEventListener("error", failed);
  }

  /** Where the sound is, in ms of the call. */
  get at() {
    return clamp(this.audio.currentTime * 1000, 0, this.duration_ms);
  }

  seek(ms) {
    const to = clamp(ms, 0, this.duration_ms);
    this.audio.currentTime = to / 1000;
    this.moved(to);
  }

  playFrom(ms) {
    this.seek(ms);
    return this.play();
  }

  toggle() {
    if (!this.audio.paused) return this.audio.pause();
    if (this.at >= this.duration_ms - 20) this.seek(0);
    return this.play();
  }

  /** A newer click ends a start that is still under way (AbortError): that is no failure. */
  async play() {
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name !== "AbortError") this.turned(false);
    }
  }

  follow() {
    this.moved(this.at);
    if (!this.audio.paused) requestAnimationFrame(() => this.follow());
  }
}
