"""The commands, and how things look on a terminal."""
