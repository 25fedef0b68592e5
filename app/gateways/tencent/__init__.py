"""Tencent Cloud SMS: approved templates, up to 200 numbers a call of one text. Its SDK is imported here alone."""
