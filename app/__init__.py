"""Greets every customer by SMS, exactly once, on the task engine."""

from app.early import leave_quietly

leave_quietly()
