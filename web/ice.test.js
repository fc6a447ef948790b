import assert from "node:assert/strict";
import { test } from "node:test";
import { iceServers } from "./ice.js";

test("a Link header names ICE servers with their credentials", () => {
  const turn = '<turn:t.example:3478?transport=udp>; rel="ice-server"; username="1700,0:rtbridge"; credential="a\\"b="; credential-type="password"';
  assert.deepEqual(iceServers(`<stun:s.example>; rel=ice-server, ${turn}`), [
    { urls: "stun:s.example" },
    { urls: "turn:t.example:3478?transport=udp", username: "1700,0:rtbridge", credential: 'a"b=' },
  ]);
});

test("other links, other schemes and no header at all name none", () => {
  assert.deepEqual(iceServers('<https://x.example>; rel="ice-server", <turn:t>; rel="next"'), []);
  assert.deepEqual(iceServers(null), []);
});
