"""The blocking side: takes a task, runs it, sends the answer."""
