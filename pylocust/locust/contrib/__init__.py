"""Users for other clients than requests."""
