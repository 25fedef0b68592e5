"""The web process, without a server."""
