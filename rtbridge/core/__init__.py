"""The sans-IO core: state in tables, time as an argument, no clock, no sockets, no asyncio."""
