"""Greets every customer by SMS, exactly once, on the task engine."""
