// Which ICE servers to gather with, as a WHIP server tells them: one `Link: <turn:…>; rel="ice-server"` each, with
// short-lived credentials (RFC 9725 §4.6). A server without TURN names none, and a call works without any.

/** Parse a Link header into RTCIceServers; what is not an ICE server or not well-formed is left out. */
export function iceServers(link) {
  const servers = [];
  // A link-value is `<target>; name="value"; …`; commas stand inside quotes and brackets too (RFC 8288 §3).
  for (const [, target, rest] of (link ?? "").matchAll(/<([^>]*)>((?:"(?:\\.|[^"\\])*"|[^",<])*)/g)) {
    const given = {};
    for (const [, name, quoted, plain] of rest.matchAll(/;\s*([\w-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s;,"]+))/g)) {
      given[name.toLowerCase()] ??= quoted?.replace(/\\(.)/g, "$1") ?? plain;
    }
    if (given.rel !== "ice-server" || !/^(stun|turns?):\S+$/.test(target)) continue;
    const login = given.username ? { username: given.username, credential: given.credential ?? "" } : {};
    servers.push({ urls: target, ...login });
  }
  return servers;
}
