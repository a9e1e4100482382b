"""The standard format: every event under its own name, its fields beside the message."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from relay.formats import envelope
from relay.formats.event_record import EventRecord
from relay.formats.keys import OWNERS, first_set
from relay.formats.message import Message
from relay.settings.preset import Partitioner
from relay.settings.versions import VersionSettings

_STATES: Final = {"Cluster": "ClusterState"}
"""Names of snapshots that are not the name of the class."""
_FACTS: Final = frozenset({"message", "severity", "event_time", *OWNERS})


class Standard:
    """Any name, and the first id that is set as the key."""

    names: frozenset[str] | None = None
    # Consumers know `seq`, which tells them which state is older.
    states: frozenset[str] = frozenset()
    table_names: Mapping[str, str] = {
        "clusters": "ClusterState",
        "hosts": "Host",
        "infra_envs": "InfraEnv",
    }
    partitioner: Partitioner = "murmur2"
    streams_rate_limited = False
    rate_limits: Mapping[str, timedelta] = {}
    no_key: str | None = None
    envelope = staticmethod(envelope.wrap)

    def absent(self, name: str) -> Mapping[str, str]:  # noqa: ARG002
        """Return nothing: it stays null."""
        return {}

    def versions(self, settings: VersionSettings) -> dict[str, object]:
        """Return component to version."""
        return dict(settings.versions())

    def event(self, event: EventRecord, fields: Mapping[str, object]) -> Message:
        """Return the message of an event, named after it.

        A field that has the name of a fact, as catalogues may have, is under `props`.
        """
        owners = {
            "cluster_id": event.cluster_id,
            "infra_env_id": event.infra_env_id,
            "host_id": event.host_id,
        }
        facts: dict[str, object] = {
            "message": event.message,
            "severity": event.severity,
            "event_time": event.event_time,
            # In a domain of its own, the usual owners say nothing but where they are set.
            **{name: id_ for name, id_ in owners.items() if id_ or event.subject_id is None},
        }
        apart = {name: value for name, value in fields.items() if name in _FACTS}
        beside = {name: value for name, value in fields.items() if name not in _FACTS}
        payload = facts | beside | ({"props": apart} if apart else {})
        key = event.subject_id or first_set(owners, OWNERS)
        return Message(event.name, payload, key=key, event_id=UUID(event.event_id))

    def snapshot(self, message: Message) -> Message:
        """Return *message* as it is."""
        return message

    def snapshot_name(self, entity: str, name: str | None) -> str:
        """Return the wish of the service, or the name of the class."""
        return name or _STATES.get(entity, entity)

    def check_snapshot(self, name: str, fields: Collection[str], *, keyed: bool) -> None:
        """Take any fields and any key."""

    def checked(self, message: Message) -> Message:
        """Return *message* as it is."""
        return message
