"""The API for programs, under /api/v1: JSON, tokens with scopes, problems by RFC 9457."""
