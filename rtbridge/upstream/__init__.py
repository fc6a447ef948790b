"""The upstream leg: a Realtime WebSocket and the seam under the Agents SDK."""
