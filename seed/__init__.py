"""Fills the customers table with people who do not exist."""
