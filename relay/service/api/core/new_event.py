"""An event that is to be added, whichever face it came by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from relay.formats.keys import OWNERS
from relay.service.api.core.refusal import Fault, invalid
from relay.service.events.definition import EventDefinition, Scope
from relay.service.events.event import Event
from relay.service.events.rendering import UntypedEvent
from relay.service.events.severity import Severity
from relay.settings import ApiSettings
from relay.settings.preset import Preset

SNAPSHOT_NAMES: Final = ("Cluster", "ClusterState", "Host", "HostState", "InfraEnv")
"""Names of snapshots that a consumer would take an event for."""

BESIDE_PROPS: Final = frozenset({"message", "severity", "event_time", *OWNERS})
"""Fields that stand on the stream beside the props, in the standard format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to be added. *event_time* of None is now."""

    name: str
    severity: Severity
    message: str
    category: str = "user"
    cluster_id: UUID | None = None
    infra_env_id: UUID | None = None
    host_id: UUID | None = None
    request_id: str | None = None
    event_time: datetime | None = None
    props: Mapping[str, Any] = field(default_factory=dict)

    def untyped(self, event_id: UUID) -> UntypedEvent:
        """Return it in the form that an outbox emits."""
        facts = {name: getattr(self, name) for name in (*OWNERS, "request_id", "event_time")}
        given = {name: value for name, value in facts.items() if value is not None}
        owned = (scope for scope in (Scope.CLUSTER, Scope.INFRA_ENV) if scope.owner in given)
        # The text as it is: no part of it is a placeholder.
        template = self.message.replace("{", "{{").replace("}", "}}")
        definition = EventDefinition(
            self.name, self.severity, template, self.category, next(owned, Scope.HOST)
        )
        return UntypedEvent(event_id, Event(**given), definition, self.props)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Rules for events that come over REST: not named like a snapshot, not far away in time.

    *taken*: names that the props may not have, or the stream would show them for the event's facts.
    """

    reserved: frozenset[str]
    ahead: timedelta
    behind: timedelta
    taken: frozenset[str]

    @classmethod
    def of(cls, settings: ApiSettings, preset: Preset) -> "Bounds":
        """Return the bounds that *settings* say."""
        names = (*SNAPSHOT_NAMES, *settings.reserved_names)
        return cls(
            frozenset(name.casefold() for name in names),
            timedelta(seconds=settings.event_time_ahead_seconds),
            timedelta(days=settings.event_time_behind_days),
            BESIDE_PROPS if preset is Preset.STANDARD else frozenset(),
        )

    def check(self, new: NewEvent) -> None:
        """Make sure that *new* may be added.

        Raises:
            Refusal: 400, with what is wrong.
        """
        faults = []
        if new.name.strip().casefold() in self.reserved:
            faults.append(
                Fault("body.name", "Snapshots have this name, and consumers believe them")
            )
        if taken := sorted(new.props.keys() & self.taken):
            names = ", ".join(taken)
            faults.append(Fault("body.props", f"{names}: on the stream these stand beside them"))
        if new.event_time is not None and (fault := self._time_fault(new.event_time)):
            faults.append(Fault("body.event_time", fault))
        if faults:
            raise invalid(HTTPStatus.BAD_REQUEST, faults)

    def _time_fault(self, moment: datetime) -> str | None:
        distance = moment - datetime.now(UTC)
        if distance > self.ahead:
            return f"It may be {self.ahead.total_seconds():g} seconds ahead at most"
        if -distance > self.behind:
            return f"It may be {self.behind / timedelta(days=1):g} days back at most"
        return None
