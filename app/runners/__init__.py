"""Gives out what is due, and carries it to workers."""
