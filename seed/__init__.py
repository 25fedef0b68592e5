"""Fills the customers table with people who do not exist."""

from app.early import leave_quietly

leave_quietly()
