"""A shard from its order to its end."""
