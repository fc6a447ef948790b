"""The embedded Realtime engine: real ears, a real voice and honest offline wits behind the GA protocol."""
