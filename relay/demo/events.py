"""Events of the simulated service."""

from relay.service.events.event import Event
from relay.service.events.severity import Severity


class ClusterRegistered(
    Event, severity=Severity.INFO, message="Cluster {cluster_name} was registered"
):
    """A cluster is known from now on."""

    cluster_name: str


class ClusterStatusUpdated(
    Event,
    severity=Severity.INFO,
    message="Cluster {cluster_name}: updated status from {old} to {new}",
):
    """A cluster got on."""

    cluster_name: str
    old: str
    new: str


class HostStatusUpdated(
    Event, severity=Severity.INFO, message="Host {host_name}: updated status from {old} to {new}"
):
    """A host got on, or fell back."""

    host_name: str
    old: str
    new: str


class HostStageReached(
    Event, severity=Severity.INFO, message="Host {host_name}: reached installation stage {stage}"
):
    """A stage of the installation began."""

    host_name: str
    stage: str


class HostValidationFailed(
    Event, severity=Severity.WARNING, message="Host {host_name}: validation {validation} failed"
):
    """Validation of a host that passed before and fails now."""

    host_name: str
    validation: str


class HostValidationFixed(
    Event, severity=Severity.INFO, message="Host {host_name}: validation {validation} is now fixed"
):
    """Validation of a host that failed before and passes now."""

    host_name: str
    validation: str


class HostLogsCollected(
    Event, severity=Severity.INFO, message="Host {host_name}: logs were collected"
):
    """Logs of a host, which can be long."""

    host_name: str
    log: str
