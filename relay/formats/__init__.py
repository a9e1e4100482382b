"""Formats: how events and snapshots become messages. One module a format, chosen by its preset."""

from collections.abc import Mapping
from typing import Final

from relay.formats.existing_consumers import ExistingConsumers
from relay.formats.format import Format
from relay.formats.standard import Standard
from relay.settings import Settings
from relay.settings.preset import Preset

__all__ = ["Format", "format_of", "with_format_defaults"]

_FORMATS: Final[Mapping[Preset, Format]] = {
    Preset.STANDARD: Standard(),
    Preset.EXISTING_CONSUMERS: ExistingConsumers(),
}


def format_of(preset: Preset) -> Format:
    """Return the format that *preset* names."""
    return _FORMATS[preset]


def with_format_defaults(settings: Settings) -> Settings:
    """Return *settings*; what they leave open is as the format has it."""
    relay, events = settings.relay, settings.events
    form = format_of(events.stream_preset)
    if "partitioner" not in relay.model_fields_set:
        relay = relay.model_copy(update={"partitioner": form.partitioner})
    if events.stream_rate_limited is None:
        events = events.model_copy(update={"stream_rate_limited": form.streams_rate_limited})
    limits = {**form.rate_limits, **events.rate_limits}
    events = events.model_copy(update={"rate_limits": limits})
    return settings.model_copy(update={"relay": relay, "events": events})
