"""The engine's rooms one by one, without processes wherever that can be."""
