"""What networks tell us: receipts of messages, and what people answer."""
