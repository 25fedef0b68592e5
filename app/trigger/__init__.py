"""The trigger's port: requests and answers, who may ask, who watches, and the client of the commands."""
