// What went wrong and why a call ended, in words: every sentence of that sort on the page is in this file.
// A problem is plain data `{kind, ...facts}` as call.js raises it; here it becomes `{title, advice}` for a
// person: what happened, and what to do about it. Nothing here touches the DOM or the network.

const PROBLEMS = {
  permission_denied: () => [
    "The microphone is blocked",
    "Allow the microphone for this page (the icon beside the address), then connect again.",
  ],
  no_microphone: () => [
    "No microphone found",
    "Plug one in, or choose one in the sound settings of your system, then connect again.",
  ],
  microphone_busy: () => [
    "The microphone cannot be opened",
    "Another program may be holding it. Close that program, then connect again.",
  ],
  insecure_origin: () => [
    "This address is not secure enough for a microphone",
    "Browsers give a microphone only to https pages and to this computer itself: open " +
      "http://127.0.0.1 here, or serve the page over https.",
  ],
  no_webrtc: () => [
    "This browser cannot make calls",
    "WebRTC is missing or switched off. Try a current Chrome, Edge, Firefox or Safari.",
  ],
  server_down: () => [
    "The server does not answer",
    "Start it with “rtbridge serve”, or check the network, then connect again.",
  ],
  server_slow: () => [
    "The server took too long to answer",
    "It may be overloaded. Look at its log, then connect again.",
  ],
  call_limit: ({ message, retry_after_s: wait }) => [
    "All lines are busy",
    sentence(message || "The server has reached its limit of calls") +
      (wait > 0 ? ` Try again in ${wait} s.` : " Try again in a moment."),
  ],
  unauthorized: ({ message }) => [
    "The server wants a key",
    sentence(message || "It accepts calls only with a caller key") + " Open the page by a link that holds one.",
  ],
  refused: ({ message, status }) => [
    "The server refused the call",
    sentence(message || `It answered HTTP ${status}`) + " The server's log tells more.",
  ],
  server_error: ({ message, status }) => [
    "The server failed",
    sentence(message || `It answered HTTP ${status}`) + " Look at its log, then connect again.",
  ],
  bad_answer: () => [
    "The server's answer cannot be used",
    "It is not the answer of a WebRTC server. Check that this page and the server are of one version.",
  ],
  no_media_path: () => [
    "No audio gets through",
    "The server was reached, but UDP seems to be blocked between it and this browser. Check firewall and " +
      "VPN, or set a TURN server. (Chromium in tests needs --allow-loopback-in-peer-connection.)",
  ],
  connection_lost: () => ["The connection was lost", "Check the network, then connect again."],
  sound_blocked: () => ["The browser holds back the sound", "Click anywhere on the page to hear the agent."],
  no_scenarios: () => ["No scenario is served", "Add a folder to scenarios/ and check it with “rtbridge scenarios”."],
  unknown_choice: ({ message }) => ["The link asks for something that is not here", sentence(message)],
};

const ENDINGS = {
  hangup: "you hung up",
  left: "you left the page",
  caller_hangup: "you hung up",
  ended: "it was over",
};

/** Tell a problem to a person: `{kind, ...facts}` -> `{kind, title, advice}`. Unknown kinds are told too. */
export function tellProblem(problem) {
  const kind = typeof problem?.kind === "string" ? problem.kind : "unknown";
  const tell = Object.hasOwn(PROBLEMS, kind) ? PROBLEMS[kind] : null;
  const [title, advice] = tell
    ? tell(problem)
    : ["Something went wrong", sentence(problem?.message || "The browser's console tells more")];
  return { kind, title, advice };
}

/**
 * Why a call ended, as the end of a sentence: "hangup" -> "you hung up". A server's own words ("the caller did not
 * come back") are said as they are, and a code it has no words for is read out.
 */
export function tellEnding(reason) {
  const plain = typeof reason === "string" && reason.trim() ? reason.trim() : "of an unknown reason";
  if (Object.hasOwn(ENDINGS, plain)) return ENDINGS[plain];
  return plain.includes(" ") ? plain : plain.replaceAll("_", " ");
}

/** Which problem a failed getUserMedia is. Names: Media Capture and Streams, getUserMedia() errors. */
export function microphoneProblem(error) {
  switch (error?.name) {
    case "NotAllowedError":
      return { kind: "permission_denied" };
    case "SecurityError":
      return { kind: "insecure_origin" };
    case "NotFoundError":
    case "OverconstrainedError":
      return { kind: "no_microphone" };
    default:
      return { kind: "microphone_busy" }; // NotReadableError, AbortError: there, but it does not open
  }
}

/** Which problem an HTTP answer other than 2xx is; `message` is the server's own, if it gave one. */
export function answerProblem(status, message, retry_after_s) {
  const facts = { status, message, retry_after_s };
  if (status === 401) return { kind: "unauthorized", ...facts };
  if (status === 429 || status === 503) return { kind: "call_limit", ...facts };
  return { kind: status >= 500 ? "server_error" : "refused", ...facts };
}

/** JSON text, indented for people; what is not JSON stays as it is. */
export function prettyJson(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function sentence(text) {
  const words = String(text ?? "").trim();
  return /[.!?…]$/.test(words) ? words : `${words}.`;
}
