"""The format for consumers that were written for the service that did this before.

Four names, the event's fields as a text, and one key for all that is of one cluster: its id, or
the empty text. docs/existing-consumers.md has the facts.
"""

import dataclasses
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from relay.errors import EventDefinitionError, PayloadError
from relay.formats import envelope
from relay.formats.event_record import EventRecord
from relay.formats.message import Message
from relay.settings.preset import Partitioner
from relay.settings.versions import VersionSettings

NO_KEY: Final = ""
_EVENT: Final = "Event"
_CLUSTER: Final = "ClusterState"
_STATES: Final = {"Cluster": _CLUSTER, "Host": "HostState", "InfraEnv": "InfraEnv"}
# The consumer gives these names a meaning of its own.
_TAKEN: Final = frozenset({
    "cluster", "versions", "infra_envs", "host_summary", "event", "release_tag"
})  # fmt: skip


class ExistingConsumers:
    """Four names alone: any other ends the process of such a consumer."""

    names: frozenset[str] | None = frozenset({_EVENT, *_STATES.values()})
    # These consumers keep the last state that they read.
    states: frozenset[str] = frozenset(_STATES.values())
    table_names: Mapping[str, str] = {
        "clusters": _CLUSTER,
        "hosts": "HostState",
        "infra_envs": "InfraEnv",
        "events": _EVENT,
    }
    partitioner: Partitioner = "fnv1a"
    streams_rate_limited = True
    rate_limits: Mapping[str, timedelta] = dict.fromkeys(
        ("upgrade_agent_started", "upgrade_agent_finished", "upgrade_agent_failed"),
        timedelta(hours=1),
    )
    no_key: str | None = NO_KEY
    envelope = staticmethod(envelope.wrap)

    def absent(self, name: str) -> Mapping[str, str]:
        """Return what must be a text: the cluster's id of a state, and the fields of an event."""
        if name == _EVENT:
            return {"props": "{}"}
        return {} if name == _CLUSTER else {"cluster_id": NO_KEY}

    def versions(self, settings: VersionSettings) -> dict[str, object]:
        """Return the release tag beside the versions of the components."""
        return {"release_tag": settings.release_tag, "versions": dict(settings.versions())}

    def event(self, event: EventRecord, fields: Mapping[str, object]) -> Message:  # noqa: ARG002
        """Return an `Event`, whose own name is in the payload, and whose fields are a text."""
        payload = {
            "cluster_id": event.cluster_id,
            "name": event.name,
            "message": event.message,
            "severity": event.severity,
            "category": event.category,
            "event_time": event.event_time,
            "request_id": event.request_id,
            "host_id": event.host_id,
            "infra_env_id": event.infra_env_id,
            # A text that holds an object: a real one is dropped there.
            "props": event.props,
        }
        return Message(_EVENT, payload, event_id=UUID(event.event_id))

    def snapshot(self, message: Message) -> Message:
        """Return *message* with its cluster's id as a text, always, and no key of its own."""
        payload = dict(message.payload)
        if message.name != _CLUSTER:
            payload["cluster_id"] = payload["cluster_id"] or NO_KEY
        return dataclasses.replace(message, payload=payload, key=None)

    def snapshot_name(self, entity: str, name: str | None) -> str:
        """Return one of the three names of states."""
        found = name or _STATES.get(entity, entity)
        if found not in self.states:
            raise EventDefinitionError(
                f"{entity}: existing consumers stop at snapshots named {found}; "
                f"track(…, name=…) takes {', '.join(sorted(self.states))}"
            )
        return found

    def check_snapshot(self, name: str, fields: Collection[str], *, keyed: bool) -> None:
        """Make sure of the ids and the key, and that no field has a name with another meaning."""
        if keyed:
            raise EventDefinitionError(
                f"{name}: existing consumers need the cluster's id as the key; set none"
            )
        needed = {"id"} if name == _CLUSTER else {"id", "cluster_id"}
        if missing := sorted(needed - set(fields)):
            raise EventDefinitionError(f"{name}: existing consumers need {', '.join(missing)}")
        if taken := sorted(_TAKEN & set(fields)):
            raise EventDefinitionError(
                f"{name}: existing consumers have a use of their own for the field names "
                f"{', '.join(taken)}; leave them out with exclude=…"
            )

    def checked(self, message: Message) -> Message:
        """Return *message* with the one key of its cluster."""
        names = self.names or ()
        if message.name not in names:
            raise PayloadError(
                f"{message.name}: no such message may be on the stream, because existing consumers "
                f"stop at it; they know {', '.join(sorted(names))}"
            )
        owner = "id" if message.name == _CLUSTER else "cluster_id"
        key = str(message.payload.get(owner) or NO_KEY)
        if message.key not in {None, key}:
            raise PayloadError(
                f"{message.name}: existing consumers need the cluster's id as the key; set none"
            )
        return dataclasses.replace(message, key=key)
