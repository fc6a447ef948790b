"""What `rtbridge bench` measures."""
