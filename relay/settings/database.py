from collections.abc import Iterator

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field, SecretStr

from relay.settings.group import SettingsGroup


class DatabaseSettings(SettingsGroup):
    """Where the outbox is: a URL, or its parts."""

    database_url: SecretStr | None = Field(None, description="postgresql://user:password@host/name")
    db_host: str | None = Field(None, description="host, where no URL is given")
    db_port: int = Field(5432, gt=0, lt=65536, description="port")
    db_user: str | None = Field(None, description="user")
    db_pass: SecretStr | None = Field(None, description="password")
    db_name: str | None = Field(None, description="name of the database")

    @property
    def configured(self) -> bool:
        """Whether the environment names a database at all."""
        return self.database_url is not None or self.db_host is not None

    def faults(self) -> Iterator[str]:
        """Yield what cannot work."""
        if not self.configured:
            yield "DATABASE_URL is missing: set it, or DB_HOST, DB_USER, DB_PASS and DB_NAME"
            return
        if self.database_url is not None:
            try:
                conninfo_to_dict(self._libpq_url())
            except psycopg.ProgrammingError:
                # psycopg's own words quote the URL, and the password with it.
                yield "DATABASE_URL is not valid: write postgresql://user:password@host:5432/name"

    def conninfo(self) -> str:
        """Return a libpq connection string. It holds the password."""
        if self.database_url is not None:
            return make_conninfo(self._libpq_url())
        return make_conninfo(
            host=self.db_host,
            port=str(self.db_port),
            user=self.db_user,
            password=self.db_pass.get_secret_value() if self.db_pass else None,
            dbname=self.db_name,
        )

    def address(self) -> str:
        """Return host, port and database for messages: never the user or the password."""
        parts = conninfo_to_dict(self.conninfo())
        host, port = parts.get("host", "localhost"), parts.get("port", 5432)
        return f"{host}:{port}/{parts.get('dbname', '')}"

    def _libpq_url(self) -> str:
        """Drop SQLAlchemy's driver (postgresql+psycopg://), so that services share one URL."""
        url = self.database_url.get_secret_value() if self.database_url else ""
        scheme, separator, rest = url.partition("://")
        return f"{scheme.partition('+')[0]}{separator}{rest}"
