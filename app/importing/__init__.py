"""People from a file become an audience: all of them that can be read, or none."""
