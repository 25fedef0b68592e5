"""The rules: pure functions over values, no database, no file, no socket."""
