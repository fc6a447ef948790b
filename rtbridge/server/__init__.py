"""The HTTP door: pages, calls, keys, health."""
