"""What can be done with a campaign, from its start to its end."""
