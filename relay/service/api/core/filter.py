"""Filter of a list of events, whichever face was asked."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from relay.service.api.core.cursor import Cursor
from relay.service.events.severity import Severity

LIMIT_MAX: Final = 10_000
OFFSET_MAX: Final = (1 << 31) - 1
# PostgreSQL stores no NUL character, so nothing can match one.
NO_NUL: Final = r"^[^\x00]*$"
# One of several, which commas separate.
NO_NUL_NOR_COMMA: Final = r"^[^\x00,]*$"


class Order(StrEnum):
    """Order of a list, by the time at which events happened."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """A list of events. All that is given must match; what is empty is not given.

    *subject*: a cluster, infra-env or host. *subject_kind*, *subject_id*: what an event of the
    service's own domain belongs to. *cluster_level*: True, events without a host, beside
    those of *host_ids*; False, events of hosts alone. *deleted_hosts*: SQL for the ids of hosts
    whose events are wanted beside those. *since* is included, *until* is not.
    *after*: the place that the list begins behind.
    """

    cluster_id: UUID | None = None
    infra_env_id: UUID | None = None
    host_ids: tuple[UUID, ...] = ()
    subject: UUID | None = None
    subject_kind: str = ""
    subject_id: str = ""
    names: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    categories: tuple[str, ...] = ()
    message: str = ""
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    cluster_level: bool | None = None
    deleted_hosts: str = ""
    order: Order = Order.ASCENDING
    limit: int = LIMIT_MAX
    offset: int = 0
    after: Cursor | None = None
