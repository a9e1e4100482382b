"""The room of SQLAlchemy's sessions and connections, and of mapped classes."""

from typing import Final

from relay.service.sqlalchemy.async_connection import AsyncConnectionWriter
from relay.service.sqlalchemy.connection import ConnectionWriter
from relay.service.sqlalchemy.session import AsyncSessionWriter, SessionWriter
from relay.service.sqlalchemy.source import AsyncEngineSource, EngineSource
from relay.service.sqlalchemy.tracking import MappedClasses
from relay.service.sqlalchemy.transactions import follow
from relay.service.writer import Kind

KIND: Final = Kind(
    writers=(SessionWriter(), ConnectionWriter()),
    async_writers=(AsyncSessionWriter(), AsyncConnectionWriter()),
    sources=(EngineSource(),),
    async_sources=(AsyncEngineSource(),),
    tracking=MappedClasses,
    prepare=follow,
)
