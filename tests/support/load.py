"""The part of a processor that a test gets where others want the processors too."""

import os
from pathlib import Path


def stretched(seconds: float) -> float:
    """Return how long what takes *seconds* on a machine to itself may take on this one now."""
    return seconds * max(1.0, _wanting_a_processor() / (os.cpu_count() or 1))


def _wanting_a_processor() -> float:
    # The average of a minute says little of others who began a moment ago.
    try:
        now = Path("/proc/loadavg").read_text().split()[3].partition("/")[0]
    except OSError:  # not on Linux
        now = "0"
    return max(os.getloadavg()[0], float(now))
