"""The HTTP side: signalling, secrets, the page, health. Knows calls by id and legs by protocol, never media."""
