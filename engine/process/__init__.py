"""Starts, replaces and stops processes. Knows no frame and no task."""
