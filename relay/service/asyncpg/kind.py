"""The room of asyncpg's own connections and pools."""

from typing import Final

from relay.service.asyncpg.connection import ConnectionWriter
from relay.service.asyncpg.source import ConnectionSource, PoolSource
from relay.service.writer import Kind

KIND: Final = Kind(
    async_writers=(ConnectionWriter(),), async_sources=(PoolSource(), ConnectionSource())
)
