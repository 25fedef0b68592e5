"""The way out to an operator's message centre: SMPP 3.4."""
