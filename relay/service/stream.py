"""The form of the messages: what events and snapshots become on the stream.

`Stream` is the standard form. `ExistingConsumers` is for consumers that were written for the
service that did this before: docs/existing-consumers.md.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from relay.errors import EventDefinitionError, PayloadError
from relay.service.message import Message
from relay.service.records import EventRow
from relay.settings.preset import EXISTING_NAMES, Preset

NO_KEY: Final = ""
_STATES: Final = {"Cluster": "ClusterState", "Host": "HostState", "InfraEnv": "InfraEnv"}
# The consumer gives these names a meaning of its own.
_TAKEN: Final = frozenset({
    "cluster", "versions", "infra_envs", "host_summary", "event", "release_tag"
})  # fmt: skip


class Stream:
    """Every event under its own name, its fields beside the message."""

    def event(self, row: EventRow, props: Mapping[str, object]) -> Message:
        """Return the message of an event; *props* are its own fields, redacted."""
        owners = {
            "cluster_id": row.cluster_id,
            "infra_env_id": row.infra_env_id,
            "host_id": row.host_id,
        }
        payload = {
            "message": row.message,
            "severity": row.severity,
            "event_time": row.event_time,
            **owners,
            **props,
        }
        key = next(filter(None, owners.values()), None)
        return Message(row.name, payload, key=key, event_id=UUID(row.event_id))

    def checked(self, message: Message) -> Message:
        """Return *message* as it may be emitted.

        Raises:
            PayloadError: it may not.
        """
        return message

    def snapshot_name(self, entity: str, name: str | None) -> str | None:
        """Return the name for snapshots of the class *entity*; *name* is what was asked for.

        Raises:
            EventDefinitionError: that name may not be on the stream.
        """
        del entity
        return name

    def snapshot(self, message: Message) -> Message:
        """Return *message*, which is a snapshot, in the form of this stream."""
        return message

    def check_snapshot(self, name: str, fields: Collection[str], *, keyed: bool) -> None:
        """Make sure that snapshots of *name* have the *fields* that consumers need.

        *keyed*: the service wants a key of its own.

        Raises:
            EventDefinitionError: they have not.
        """


class ExistingConsumers(Stream):
    """Four names, the event's fields as a text, and one key for all that is of one cluster.

    The cluster's id is that key; with none it is the empty text.
    """

    def event(self, row: EventRow, props: Mapping[str, object]) -> Message:
        """Return an `Event`, whose own name is in the payload."""
        if taken := sorted(_TAKEN & props.keys()):
            raise PayloadError(
                f"{row.name}: existing consumers have a use of their own for the field names "
                f"{', '.join(taken)}; choose others"
            )
        payload = {
            "cluster_id": row.cluster_id,
            "name": row.name,
            "message": row.message,
            "severity": row.severity,
            "category": row.category,
            "event_time": row.event_time,
            "request_id": row.request_id,
            "host_id": row.host_id,
            "infra_env_id": row.infra_env_id,
            # A text that holds an object: a real one is dropped there.
            "props": row.props,
        }
        return Message("Event", payload, event_id=UUID(row.event_id))

    def checked(self, message: Message) -> Message:
        """Return *message* with the one key of its cluster."""
        if message.name not in EXISTING_NAMES:
            raise PayloadError(
                f"{message.name}: no such message may be on the stream, because existing consumers "
                f"stop at it; they know {', '.join(sorted(EXISTING_NAMES))}"
            )
        owner = "id" if message.name == "ClusterState" else "cluster_id"
        key = str(message.payload.get(owner) or NO_KEY)
        if message.key not in {None, key}:
            raise PayloadError(
                f"{message.name}: existing consumers need the cluster's id as the key; set none"
            )
        return dataclasses.replace(message, key=key)

    def snapshot_name(self, entity: str, name: str | None) -> str | None:
        """Return one of the three names of states."""
        found = name or _STATES.get(entity, entity)
        if found not in _STATES.values():
            raise EventDefinitionError(
                f"{entity}: existing consumers stop at snapshots named {found}; "
                f"track(…, name=…) takes {', '.join(sorted(_STATES.values()))}"
            )
        return found

    def snapshot(self, message: Message) -> Message:
        """Return *message* with the key of its cluster; the ids in it are texts, always."""
        payload = dict(message.payload)
        if message.name != "ClusterState":
            payload["cluster_id"] = payload["cluster_id"] or NO_KEY
        return self.checked(dataclasses.replace(message, payload=payload, key=None))

    def check_snapshot(self, name: str, fields: Collection[str], *, keyed: bool) -> None:
        """Make sure of the ids and the key, and that no field has a name with another meaning."""
        if keyed:
            raise EventDefinitionError(
                f"{name}: existing consumers need the cluster's id as the key; set none"
            )
        needed = {"id"} if name == "ClusterState" else {"id", "cluster_id"}
        if missing := sorted(needed - set(fields)):
            raise EventDefinitionError(f"{name}: existing consumers need {', '.join(missing)}")
        if taken := sorted(_TAKEN & set(fields)):
            raise EventDefinitionError(
                f"{name}: existing consumers have a use of their own for the field names "
                f"{', '.join(taken)}; leave them out with exclude=…"
            )


STREAMS: Final[Mapping[Preset, Stream]] = {
    Preset.STANDARD: Stream(),
    Preset.EXISTING_CONSUMERS: ExistingConsumers(),
}
