"""Processes that take tasks, run them and send the results."""
