"""Targets of this room, for type checkers alone."""

from typing import Any, TypeAlias

import psycopg

Target: TypeAlias = psycopg.Connection[Any]
AsyncTarget: TypeAlias = psycopg.AsyncConnection[Any]
