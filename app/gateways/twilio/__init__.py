"""Twilio: one message a call, free text, receipts from the list of messages. Its SDK is imported here alone."""
