"""Who may do what: tokens of programs, users with their passwords, and sessions."""
