"""The engine with real processes and real sockets."""
