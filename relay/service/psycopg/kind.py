"""The room of psycopg's connections and pools, synchronous and asynchronous."""

from typing import Final

from relay.service.psycopg.async_connection import AsyncConnectionWriter
from relay.service.psycopg.connection import ConnectionWriter
from relay.service.psycopg.source import (
    AsyncConnectionSource,
    AsyncPoolSource,
    ConnectionSource,
    PoolSource,
)
from relay.service.writer import Kind

KIND: Final = Kind(
    writers=(ConnectionWriter(),),
    async_writers=(AsyncConnectionWriter(),),
    sources=(PoolSource(), ConnectionSource()),
    async_sources=(AsyncPoolSource(), AsyncConnectionSource()),
)
