"""The event-loop side: connections, and the tasks that were sent away."""
