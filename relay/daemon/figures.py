"""Figures of the outbox, as the sampler measures them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of rows, and the age of the oldest transaction that keeps dead rows from vacuum."""

    pending: int
    parked: int
    dead_tuples: int
    xmin_age_seconds: float
    xmin_age_transactions: int
