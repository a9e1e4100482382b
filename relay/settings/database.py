from collections.abc import Iterator, Mapping
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field, SecretStr, model_validator

from relay.settings.group import SettingsGroup
from relay.settings.hosts import host_fault
from relay.settings.numbers import whole_number_fault

_PARTS: Final = ("db_host", "db_port", "db_user", "db_pass", "db_name")
_PORT_MAX: Final = 65535
_WHOLE: Final = (
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class DatabaseSettings(SettingsGroup):
    """Database with the outbox: a URL, or its parts, which count only without a URL."""

    database_url: SecretStr | None = Field(None, description="postgresql://user:password@host/name")
    listen_database_url: SecretStr | None = Field(
        None,
        description="the same database past a pooler that breaks LISTEN, for the doorbell alone",
    )
    db_host: str | None = Field(None, description="host or socket directory")
    db_port: int = Field(5432, gt=0, lt=65536, description="port")
    db_user: str | None = Field(None, description="user")
    db_pass: SecretStr | None = Field(None, description="password")
    db_name: str | None = Field(None, description="name of the database")
    outbox_schema: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="schema of the outbox tables; unset: found, where only one has them",
    )
    outbox_name: str | None = Field(
        None,
        pattern=r"^\S{1,128}$",
        description="label `outbox` of all metrics; unset: the database, and OUTBOX_SCHEMA if set",
    )

    @model_validator(mode="before")
    @classmethod
    def _used(cls, given: Any) -> Any:  # noqa: ANN401 - pydantic's
        """Leave the parts out where a URL is given: they may well be somebody else's."""
        if isinstance(given, dict) and "database_url" in given:
            return {name: value for name, value in given.items() if name not in _PARTS}
        return given

    @property
    def configured(self) -> bool:
        """True if the environment names a database at all."""
        return self.database_url is not None or self.db_host is not None

    def faults(self) -> Iterator[str]:
        """Yield what cannot work, without the URL: the password is in it."""
        if not self.configured:
            yield "DATABASE_URL is missing: set it, or DB_HOST, DB_USER, DB_PASS and DB_NAME"
            return
        source = "DB_HOST" if self.database_url is None else "DATABASE_URL"
        try:
            parts = conninfo_to_dict(self.conninfo())
        except psycopg.ProgrammingError:
            yield f"{source} is not valid: write postgresql://user:password@host:5432/name"
            return
        yield from (f"{source}: {fault}" for fault in _part_faults(parts))
        yield from self._listen_faults()

    def _listen_faults(self) -> Iterator[str]:
        try:
            parts = conninfo_to_dict(self.listen_conninfo() or "")
        except psycopg.ProgrammingError:
            yield "LISTEN_DATABASE_URL is not valid: write postgresql://user:password@host/name"
            return
        yield from (f"LISTEN_DATABASE_URL: {fault}" for fault in _part_faults(parts))

    def conninfo(self) -> str:
        """Return a libpq connection string. It holds the password."""
        if self.database_url is not None:
            return make_conninfo(_libpq_url(self.database_url))
        return make_conninfo(
            host=self.db_host,
            port=str(self.db_port),
            user=self.db_user,
            password=self.db_pass.get_secret_value() if self.db_pass else None,
            dbname=self.db_name,
        )

    def outbox(self) -> str:
        """Return the name of the outbox in metrics; empty where no database is named."""
        if self.outbox_name or not self.configured:
            return self.outbox_name or ""
        parts = conninfo_to_dict(self.conninfo())
        database = parts.get("dbname") or parts.get("user") or ""
        return f"{database}.{self.outbox_schema}" if self.outbox_schema else str(database)

    def listen_conninfo(self) -> str | None:
        """Return the same for the connection that listens, if it is to be another one."""
        if self.listen_database_url is None:
            return None
        return make_conninfo(_libpq_url(self.listen_database_url))

    def address(self) -> str:
        """Return host, port and database for messages: never the user or the password."""
        parts = conninfo_to_dict(self.conninfo())
        host, port = parts.get("host", "localhost"), parts.get("port", 5432)
        return f"{host}:{port}/{parts.get('dbname', '')}"


def _libpq_url(given: SecretStr) -> str:
    """Drop SQLAlchemy's driver (postgresql+psycopg://), so that services share one URL."""
    scheme, separator, rest = given.get_secret_value().partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


def _part_faults(parts: Mapping[str, object]) -> Iterator[str]:
    """Yield what libpq would only find out when it connects."""
    given = {name: str(value) for name, value in parts.items()}
    for host in filter(None, given.get("host", "").split(",")):
        if not host.startswith(("/", "@")) and (fault := host_fault(host)):
            yield f"host: {fault}"
    for port in filter(None, given.get("port", "").split(",")):
        if whole_number_fault(port) or not 0 < int(port) <= _PORT_MAX:
            yield f"port: write a number from 1 to {_PORT_MAX}"
    for name in _WHOLE:
        if name in given and (fault := whole_number_fault(given[name])):
            yield f"{name}: {fault}"
    if given.get("sslmode", _SSL_MODES[0]) not in _SSL_MODES:
        yield f"sslmode: write one of {', '.join(_SSL_MODES)}"
