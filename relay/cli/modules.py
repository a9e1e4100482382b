"""Modules of a service, named on the command line. Importing one runs it."""

import sys
from importlib import import_module

from relay.errors import ConfigurationError
from relay.service.outbox import Outbox


def look_in_current_folder() -> None:
    """Find modules in the current folder too, as `python -m` does; an installed script does not."""
    if "" not in sys.path:
        sys.path.insert(0, "")


def outbox_named(source: str) -> Outbox:
    """Return the outbox that *source* names, as "package.module:name".

    Raises:
        ConfigurationError: there is none, or it does not stream.
    """
    look_in_current_folder()
    module, _, name = source.partition(":")
    try:
        found: object = getattr(import_module(module), name or "outbox", None)
    except ModuleNotFoundError as error:
        raise ConfigurationError([f"--outbox {source}: {error.name} cannot be imported"]) from None
    if not isinstance(found, Outbox):
        raise ConfigurationError([f"--outbox {source}: no Outbox has that name; write module:name"])
    if not found.streaming:
        raise ConfigurationError(["ENABLE_EVENT_STREAMING is off, so the outbox streams nothing"])
    return found
