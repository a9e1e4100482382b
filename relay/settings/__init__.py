"""The settings of the service's side and of the relay: read once, checked once, frozen.

A field's environment variable is its name in capitals, behind the prefix of its group. Put
``_FILE`` behind the variable to have the value read from a file.
"""

from relay.settings.api import ApiSettings
from relay.settings.console import ConsoleSettings, SignIn
from relay.settings.database import DatabaseSettings
from relay.settings.events import EventSettings
from relay.settings.kafka import PROPERTY_PREFIX, KafkaSettings
from relay.settings.loading import Settings, load, required
from relay.settings.logs import LogSettings
from relay.settings.metrics import MetricsSettings
from relay.settings.redaction import RedactionSettings
from relay.settings.relay import SHARDS, RelaySettings
from relay.settings.unknown import GROUPS, unknown_variables
from relay.settings.versions import UNKNOWN_VERSION, VersionSettings

__all__ = [
    "GROUPS",
    "PROPERTY_PREFIX",
    "SHARDS",
    "UNKNOWN_VERSION",
    "ApiSettings",
    "ConsoleSettings",
    "DatabaseSettings",
    "EventSettings",
    "KafkaSettings",
    "LogSettings",
    "MetricsSettings",
    "RedactionSettings",
    "RelaySettings",
    "Settings",
    "SignIn",
    "VersionSettings",
    "load",
    "required",
    "unknown_variables",
]
