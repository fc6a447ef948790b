// The stock browser clients as an application uses them, nothing of theirs changed or replaced. What is added is a
// record of what they saw, for the test to read.
import { RealtimeAgent, RealtimeSession } from "@openai/agents/realtime";
import { OpenAIRealtimeWebRTC } from "openai/realtime/webrtc";

const session = new RealtimeSession(new RealtimeAgent({ name: "caller" }));
const seen = { events: [], shaped: {}, errors: [] };
const followed = new Set();

session.transport.on("*", (event) => {
  seen.events.push({ ...event, seen_ms: performance.now() });
  // After "*" the transport emits an event under its own name, but only if it has the shape that the client knows.
  if (!followed.has(event.type)) {
    followed.add(event.type);
    session.transport.on(event.type, () => (seen.shaped[event.type] = (seen.shaped[event.type] ?? 0) + 1));
  }
});
session.on("error", (error) => seen.errors.push(JSON.stringify(error)));

window.stock = {
  session,
  seen,
  count: (type) => seen.events.filter((event) => event.type === type).length,

  /** Call with @openai/agents; resolves with how long its connect() took, in ms. */
  async connect(url, apiKey) {
    const start_ms = performance.now();
    await session.connect({ url, apiKey });
    return performance.now() - start_ms;
  },

  /** Call with the openai package; resolves with what it found, and the agent's first words by its typed events. */
  async firstWords(url, apiKey) {
    const call = new OpenAIRealtimeWebRTC();
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    for (const track of microphone.getTracks()) call.peerConnection.addTrack(track, microphone);
    const words = new Promise((resolve) => {
      call.on("response.output_audio_transcript.done", (event) => resolve(event.transcript));
    });
    await call.connect({
      async exchangeSdp(body, { signal }) {
        const headers = { "Content-Type": "application/sdp", Authorization: `Bearer ${apiKey}` };
        const answer = await fetch(url, { method: "POST", body, headers, signal });
        if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
        return await answer.text();
      },
    });
    const found = { state: call.state, channel: call.dataChannel.readyState, words: await words };
    call.close();
    return found;
  },
};
