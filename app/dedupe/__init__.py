"""Finds out whose number another customer has, too."""
