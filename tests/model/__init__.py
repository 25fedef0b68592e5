"""The protocol of the ledger, explored whole: every order of events of a small world, not some by chance."""
