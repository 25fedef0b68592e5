"""`python -m app`."""

from app import console
from app.cli.main import cli

if __name__ == "__main__":
    console.run(cli)
