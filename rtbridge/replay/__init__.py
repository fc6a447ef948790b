"""Stories: whole calls replayed from audio files, on the virtual clock or over the wire."""
