"""Scenarios: agent graphs found, loaded and checked."""
