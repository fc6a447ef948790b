"""`rtbridge mcp`: scenarios, replays and calls as tools of an MCP server, for coding assistants."""
