"""Doctor: runs the diagnosis in the background, since a broker that is away takes its time."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from relay.console.database import Database
from relay.errors import RelayError
from relay.operations.doctor import diagnose
from relay.operations.findings import Finding
from relay.settings import Settings

VALID: Final = timedelta(seconds=30)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Diagnosis:
    """Findings of one run."""

    at: datetime
    findings: tuple[Finding, ...]


class Doctor:
    """The latest diagnosis; one at a time is made, when somebody asks and the last is old."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._latest: Diagnosis | None = None
        self._at_work = threading.Lock()

    def latest(self) -> Diagnosis | None:
        """Return the latest diagnosis; have a new one made where that is old, or missing."""
        latest = self._latest
        is_old = latest is None or datetime.now(UTC) - latest.at > VALID
        if is_old and self._at_work.acquire(blocking=False):
            threading.Thread(target=self._run, name="doctor", daemon=True).start()
        return latest

    def known(self) -> Diagnosis | None:
        """Return the latest diagnosis, however old."""
        return self._latest

    def _run(self) -> None:
        try:
            self._latest = Diagnosis(datetime.now(UTC), tuple(self._findings()))
        finally:
            self._at_work.release()

    def _findings(self) -> Sequence[Finding]:
        try:
            with self._database.connection() as connection:
                return list(diagnose(connection, self._settings))
        except RelayError as error:
            return [Finding("database", "failed", str(error), error.exit_code)]
        except Exception:
            log.exception("the diagnosis broke off")
            return [Finding("doctor", "unknown", "broke off: the log of the console says why")]
