"""The engine: the tick, what supervises it, how it starts and stops."""
