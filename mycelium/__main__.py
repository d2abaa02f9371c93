"""`python -m mycelium` is the command."""

from mycelium.cli import app

app()
