"""Bytes to frames and back; pure, no socket."""
