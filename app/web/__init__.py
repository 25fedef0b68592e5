"""Pages, metrics and health over HTTP, in a process of its own that reads the database and calls the use cases."""
