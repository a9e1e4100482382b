"""Targets of this room, for type checkers alone."""

from typing import Any, TypeAlias

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

AnySession: TypeAlias = Session | scoped_session[Any] | AsyncSession | async_scoped_session[Any]
Target: TypeAlias = AnySession | Connection
AsyncTarget: TypeAlias = AsyncSession | async_scoped_session[Any] | AsyncConnection
