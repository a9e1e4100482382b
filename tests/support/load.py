"""The part of a processor that a test gets where others want the processors too."""

import os


def stretched(seconds: float) -> float:
    """Return how long what takes *seconds* on a machine to itself may take on this one now."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
