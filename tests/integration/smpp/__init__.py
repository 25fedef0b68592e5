"""Sessions with message centres: scripted ones, the demo one, and those that others wrote."""
