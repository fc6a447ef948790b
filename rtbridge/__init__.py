"""The server-side WebRTC media bridge for voice agents."""

__version__ = "0.1.0"
