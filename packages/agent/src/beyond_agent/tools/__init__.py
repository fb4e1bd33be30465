"""The ten tools: what the model may call. Each works through the seams of its workplace and holds no other state."""
