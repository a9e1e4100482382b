"""The room of psycopg's connections, synchronous and asynchronous."""

from typing import Final

from relay.service.psycopg.async_connection import AsyncConnectionWriter
from relay.service.psycopg.connection import ConnectionWriter
from relay.service.writer import Kind

KIND: Final = Kind(writers=(ConnectionWriter(),), async_writers=(AsyncConnectionWriter(),))
