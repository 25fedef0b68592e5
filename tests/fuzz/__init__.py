"""Bytes that a fuzzer found interesting, and what is done with them. `make fuzz` looks for more."""
