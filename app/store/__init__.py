"""The database: rows in, rows out, through SQLAlchemy Core."""
