"""A consumer that was there before: it stops at what the real one stops at.

The real one ends its process, and again on the same message after its restart.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn


class Stopped(Exception):  # noqa: N818 - what the process does, not what is wrong with it
    """The consumer's process would have ended."""


class StrictConsumer:
    """What a consumer makes of the messages that it reads, in their order.

    *documents* are by identity, which is message and time as texts; *states* by name and id, the
    last one read; *dropped* are the events that it silently leaves out.
    """

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.states: dict[str, dict[str, dict[str, Any]]] = {
            name: {} for name in ("ClusterState", "HostState", "InfraEnv")
        }
        self.dropped: list[dict[str, Any]] = []

    def read(self, value: bytes | None) -> None:
        """Take one message in.

        Raises:
            Stopped: it is one that ends the process.
        """
        if value is None:
            raise Stopped("a tombstone")
        envelope = json.loads(value, parse_constant=_not_a_number)
        if not isinstance(envelope, dict):
            raise Stopped(f"no object: {envelope!r}")
        metadata = envelope.get("metadata", {})
        if not isinstance(metadata, dict):
            raise Stopped(f"metadata: {metadata!r}")
        payload = envelope.get("payload") or {}
        match envelope.get("name"):
            case "Event":
                self._event(payload, metadata.get("versions", {}))
            case "ClusterState" | "HostState" | "InfraEnv" as name:
                ids = [payload["id"], payload.get("cluster_id") if name != "ClusterState" else ""]
                if not all(isinstance(each, str) for each in ids):
                    raise Stopped(f"{name}: ids that are no texts: {ids}")
                self.states[name][payload["id"]] = payload
            case other:
                raise Stopped(f"name: {other!r}")

    def _event(self, payload: dict[str, Any], versions: Mapping[str, Any]) -> None:
        cluster = payload.get("cluster_id")
        if not isinstance(cluster, str) or not isinstance(payload.get("props"), str):
            self.dropped.append(payload)
            return
        self.documents[payload["message"], payload["event_time"]] = payload | {
            "props": json.loads(payload["props"]),
            "cluster": self.states["ClusterState"].get(cluster),
            "hosts": [h for h in self.states["HostState"].values() if h["cluster_id"] == cluster],
            "infra_envs": [
                e for e in self.states["InfraEnv"].values() if e["cluster_id"] == cluster
            ],
            # A tag is known from the nested form alone.
            "release_tag": versions.get("release_tag"),
            "versions": versions.get("versions", versions),
        }


def _not_a_number(text: str) -> NoReturn:
    raise Stopped(text)
