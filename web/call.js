// One call from the browser's side: microphone, peer connection, data channel, and the HTTP around them.
// Browser APIs come in as arguments, so all of it runs under `node --test` with fakes. It shows nothing and
// remembers no conversation: whatever happens leaves through `on`, as `{type: "page.…"}` for the call itself
// and as parsed objects for what the server says on `oai-events`.
import { iceServers } from "./ice.js";
import { answerProblem, microphoneProblem } from "./words.js";

export const CALLS_PATH = "/v1/realtime/calls";
export const ANSWER_MS = 15_000; // until the server has answered the offer
export const ICE_SERVERS_MS = 2_000; // longest wait for the list of ICE servers; without it, none
export const MEDIA_MS = 10_000; // from the answer until ICE has found a path
const CHANNEL = "oai-events";
const MAX_MESSAGE = 65_536; // characters; the server sends and takes no more than 64 KiB a message

/** A call that could not be made or kept. `problem` is `{kind, ...facts}` for words.js. */
export class CallProblem extends Error {
  constructor(problem, cause) {
    super(problem.kind, { cause });
    this.problem = problem;
  }
}

/**
 * Fetch what can be called: `{data: [{id, title, start, agents: [{name, description}]}], demo}`.
 * Throws CallProblem.
 */
export async function listScenarios(fetch) {
  const response = await reach(fetch, "/v1/scenarios", { headers: { Accept: "application/json" } });
  const body = await response.json().catch(() => null);
  if (!Array.isArray(body?.data)) throw new CallProblem({ kind: "bad_answer" });
  return body;
}

/**
 * Make a call object; nothing happens before `open()`.
 *
 * browser: {fetch, RTCPeerConnection, getUserMedia, clock: {setTimeout, clearTimeout}}; getUserMedia is
 *   undefined where the origin is not secure.
 * options: {scenario, agent, on: {event, microphone, sound}}
 *   on.event(object) hears everything; on.microphone(stream) and on.sound(stream) are told once each.
 */
export function createCall(browser, options) {
  return new Call(browser, options);
}

class Call {
  #browser;
  #options;
  #peer = null;
  #channel = null;
  #microphone = null;
  #location = null;
  #closed = false;
  #timer = null;
  #request = new AbortController();

  constructor(browser, options) {
    this.#browser = browser;
    this.#options = options;
  }

  /** The RTCPeerConnection, for its statistics; null before and after the call. */
  get peer() {
    return this.#peer;
  }

  /** Take the microphone, offer, and apply the answer. Never throws: problems leave through `on.event`. */
  async open() {
    try {
      await this.#dial();
    } catch (error) {
      const known = error instanceof CallProblem;
      this.#fail(known ? error.problem : { kind: "unknown", message: error?.message });
    }
  }

  /** Send one client event. Returns false when there is no channel to send it on or it is too long. */
  send(event) {
    if (this.#channel?.readyState !== "open") return false;
    const text = JSON.stringify(event);
    if (text.length > MAX_MESSAGE) return false;
    this.#channel.send(text);
    return true;
  }

  /** Say `text` as the caller and ask for an answer to it. */
  say(text) {
    const content = [{ type: "input_text", text }];
    return (
      this.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } }) &&
      this.send({ type: "response.create" })
    );
  }

  /** Have another agent take over; `event_id` is what an `error` about it would name. */
  switchTo(agent, event_id) {
    return this.send({ type: "rtbridge.agent.switch", event_id, agent });
  }

  /** Approve or reject a tool call that waits; `event_id` is what an `error` about it would name. */
  answer(call_id, approve, event_id) {
    return this.send({ type: `rtbridge.tool.${approve ? "approve" : "reject"}`, event_id, call_id });
  }

  /** Silence the microphone without leaving the call, or open it again: here, so that nothing leaves, and there. */
  mute(muted) {
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !muted;
    return this.send({ type: "rtbridge.input_audio.mute", muted });
  }

  /** Have the agent stand still, unheard, and go on with the next sample; the microphone is not touched. */
  pause(paused) {
    return this.send({ type: "rtbridge.output_audio.pause", paused });
  }

  /** Put the call on hold: neither side is heard. */
  hold(held) {
    return this.send({ type: "rtbridge.call.hold", held });
  }

  /** Have turns found as `turn_detection` says (Realtime API); null for push to talk. */
  detectTurns(turn_detection) {
    return this.send({ type: "session.update", session: { type: "realtime", audio: { input: { turn_detection } } } });
  }

  /** Push to talk: a turn begins. */
  press() {
    return this.send({ type: "input_audio_buffer.clear" });
  }

  /** Push to talk: the turn is over, and is to be answered unless the press was too short for one. */
  release(long) {
    return this.send({ type: "input_audio_buffer.commit" }) && (!long || this.send({ type: "response.create" }));
  }

  /** End the call from this side; idempotent. Survives the page: the DELETE is sent with keepalive. */
  hangUp(reason = "hangup") {
    this.#end({ type: "page.ended", reason });
  }

  async #dial() {
    const { getUserMedia, RTCPeerConnection } = this.#browser;
    if (!getUserMedia) throw new CallProblem({ kind: "insecure_origin" });
    if (!RTCPeerConnection) throw new CallProblem({ kind: "no_webrtc" });
    this.#tell({ type: "page.connecting", step: "microphone" });
    const servers = this.#askIceServers(); // while the person is asked for the microphone
    const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    const microphone = await getUserMedia({ audio }).catch((error) => {
      throw new CallProblem(microphoneProblem(error), error);
    });
    if (this.#closed) return stop(microphone);
    this.#microphone = microphone;
    this.#options.on.microphone?.(microphone);

    this.#tell({ type: "page.connecting", step: "server" });
    const peer = new RTCPeerConnection({ iceServers: await servers });
    if (this.#closed) return peer.close();
    this.#peer = peer;
    this.#listen(peer);
    for (const track of microphone.getAudioTracks()) {
      peer.addTransceiver(track, { direction: "sendrecv", streams: [microphone] });
    }
    const offer = await peer.createOffer();
    if (this.#closed) return;
    // The offer goes out at once, without candidates: the server learns ours from our own checks (RFC 8445
    // §7.3.1.3, peer-reflexive), and a caller saves the time of gathering.
    const [answer] = await Promise.all([this.#post(offer.sdp), peer.setLocalDescription(offer)]);
    if (this.#closed) return;
    await peer.setRemoteDescription({ type: "answer", sdp: answer }).catch((error) => {
      throw new CallProblem({ kind: "bad_answer" }, error);
    });
    if (this.#closed) return;
    this.#tell({ type: "page.connecting", step: "media" });
    this.#timer = this.#browser.clock.setTimeout(() => {
      if (["new", "checking"].includes(peer.iceConnectionState)) this.#fail({ kind: "no_media_path" });
    }, MEDIA_MS);
  }

  async #askIceServers() {
    const { clock, fetch } = this.#browser;
    const request = new AbortController();
    const late = clock.setTimeout(() => request.abort(), ICE_SERVERS_MS);
    try {
      const response = await fetch(CALLS_PATH, { method: "OPTIONS", signal: request.signal });
      return response.ok ? iceServers(response.headers.get("Link")) : [];
    } catch {
      return []; // whether the server is there at all, the offer will tell
    } finally {
      clock.clearTimeout(late);
    }
  }

  async #post(sdp) {
    const { clock, fetch } = this.#browser;
    const query = new URLSearchParams();
    if (this.#options.scenario) query.set("scenario", this.#options.scenario);
    if (this.#options.agent) query.set("agent", this.#options.agent);
    const late = clock.setTimeout(() => this.#request.abort(), ANSWER_MS);
    try {
      const response = await reach(fetch, `${CALLS_PATH}?${query}`, {
        method: "POST",
        headers: { "Content-Type": "application/sdp" },
        body: sdp,
        signal: this.#request.signal,
      });
      this.#location = callPath(response.headers.get("Location"));
      if (this.#closed) this.#delete(); // the caller left while the server was answering
      return await response.text();
    } catch (error) {
      if (this.#request.signal.aborted) throw new CallProblem({ kind: "server_slow" }, error);
      throw error;
    } finally {
      clock.clearTimeout(late);
    }
  }

  #listen(peer) {
    const channel = peer.createDataChannel(CHANNEL);
    this.#channel = channel;
    channel.onopen = () => this.#tell({ type: "page.channel_opened" });
    channel.onmessage = ({ data }) => this.#receive(data);
    channel.onclose = () => this.#fail({ kind: "connection_lost" });
    peer.ontrack = ({ track, streams }) => {
      if (track.kind === "audio" && !this.#closed) this.#options.on.sound?.(streams[0], track);
    };
    peer.onconnectionstatechange = () => {
      const state = peer.connectionState;
      if (state === "failed") {
        this.#fail({ kind: channel.readyState === "connecting" ? "no_media_path" : "connection_lost" });
      } else if (state === "connected" || state === "disconnected") {
        this.#tell({ type: "page.path_changed", connected: state === "connected" });
      }
    };
  }

  #receive(data) {
    if (typeof data !== "string" || data.length > 4 * MAX_MESSAGE) return;
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return; // not JSON: not ours
    }
    // "page." is this page's own vocabulary: nobody else may speak it.
    if (typeof event?.type !== "string" || event.type.startsWith("page.")) return;
    this.#tell(event);
    if (event.type === "rtbridge.call.closed") {
      this.#location = null; // the server has let go of the call by itself
      this.#end({ type: "page.ended", reason: event.reason });
    }
  }

  #tell(event) {
    if (!this.#closed) this.#options.on.event(event);
  }

  #fail(problem) {
    this.#end({ type: "page.failed", problem });
  }

  #end(event) {
    if (this.#closed) return;
    this.#tell(event);
    this.#closed = true;
    this.#browser.clock.clearTimeout(this.#timer);
    this.#delete();
    stop(this.#microphone);
    this.#channel?.close();
    this.#peer?.close();
    this.#peer = this.#channel = this.#microphone = null;
  }

  #delete() {
    if (!this.#location) return;
    const path = this.#location;
    this.#location = null;
    // Nobody is left to tell when this fails; the server's own watchdog ends the call then.
    this.#browser.fetch(path, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

/** Fetch, or throw CallProblem: the server is down, or answered other than 2xx. */
async function reach(fetch, path, init) {
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    throw new CallProblem({ kind: "server_down" }, error);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null); // a proxy's error page is not JSON
  const wait = Math.ceil(Number(response.headers.get("Retry-After"))) || 0;
  throw new CallProblem(answerProblem(response.status, body?.error?.message, wait));
}

/** The path of `Location`, or null where it is missing or points elsewhere: a DELETE goes only to a call. */
function callPath(location) {
  const path = location?.replace(/^https?:\/\/[^/]+/, "") ?? "";
  return /^\/v1\/realtime\/calls\/[\w-]+$/.test(path) ? path : null;
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
