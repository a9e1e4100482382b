"""Variables that look like ours and are not: a misspelt setting would go unnoticed."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from relay.settings.api import ApiSettings
from relay.settings.console import ConsoleSettings
from relay.settings.database import DatabaseSettings
from relay.settings.environment import FILE_SUFFIX, is_link
from relay.settings.events import EventSettings
from relay.settings.group import SettingsGroup
from relay.settings.kafka import PROPERTY_PREFIX, KafkaSettings
from relay.settings.loading import FlagSettings
from relay.settings.logs import LogSettings
from relay.settings.metrics import MetricsSettings
from relay.settings.redaction import RedactionSettings
from relay.settings.relay import RelaySettings
from relay.settings.versions import VersionSettings

GROUPS: Final[tuple[type[SettingsGroup], ...]] = (
    FlagSettings,
    DatabaseSettings,
    KafkaSettings,
    VersionSettings,
    EventSettings,
    RedactionSettings,
    RelaySettings,
    MetricsSettings,
    LogSettings,
    ApiSettings,
    ConsoleSettings,
)
"""Every group, in the order in which a reader meets them."""

# Others use these too (KAFKA_HOME, DB_TIMEOUT): of those only a near miss is worth a warning.
_OWN: Final = ("RELAY_", "EVENT_", "OUTBOX_")
_SHARED: Final = ("KAFKA_", "DB_", "ENABLE_")
_NEAR: Final = 0.6
_VERY_NEAR: Final = 0.85


def unknown_variables() -> tuple[str, ...]:
    """Return a warning for each variable that has a prefix of ours and no effect."""
    return tuple(_warnings())


def _warnings() -> Iterator[str]:
    known = {group.variable(field) for group in GROUPS for field in group.model_fields}
    known |= {name + FILE_SUFFIX for name in known}
    for name in sorted(os.environ.keys() - known):
        upper = name.upper()
        own = upper.startswith(_OWN)
        if name.startswith(PROPERTY_PREFIX) or is_link(name, os.environ[name]):
            continue
        if not own and not upper.startswith(_SHARED):
            continue
        nearest = get_close_matches(upper, sorted(known), 1, _NEAR if own else _VERY_NEAR)
        if nearest:
            yield f"{name} is not a setting and has no effect: did you mean {nearest[0]}?"
        elif own:
            yield f"{name} is not a setting and has no effect: see docs/configuration.md"
