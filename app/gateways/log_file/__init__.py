"""The gateway that writes to logs."""
