import json
from datetime import datetime

import typer


def print_json(value: object) -> None:
    """Print *value* as JSON, on a line of its own."""
    typer.echo(json.dumps(value, default=_text))


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
