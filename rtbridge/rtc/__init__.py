"""The aiortc shell: ends the caller's WebRTC leg. Private names of aiortc and aioice live in this room only."""
