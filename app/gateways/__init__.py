"""Ways out to the phone network, behind one protocol."""
