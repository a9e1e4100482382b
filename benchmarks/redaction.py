"""Processor time of redacting a snapshot of 1 KiB: `python -m benchmarks.redaction`."""

import json
import time
from collections.abc import Sequence
from typing import Final

from benchmarks.payloads import payloads
from relay import Redactor

ROUNDS: Final = 50
SECRET: Final = "password=" + "x1" * 8


def microseconds(values: Sequence[object]) -> float:
    """Return the least mean of some rounds; others on the machine only add to it."""
    redactor = Redactor()
    times: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for value in values:
            redactor.redact(value)
        times.append(time.process_time() - started)
    return min(times) / len(values) * 1e6


def main() -> None:
    """Print the figures of snapshots without a secret and with one."""
    texts = payloads(100)
    innocent = [json.loads(text) for text in texts]
    exposed = [{**snapshot, "status_info": f"login failed: {SECRET}"} for snapshot in innocent]
    size = sum(map(len, texts)) / len(texts)
    print(
        f"{size:.0f} bytes: {microseconds(innocent):.1f} µs without a secret, "
        f"{microseconds(exposed):.1f} µs with one in a sentence"
    )


if __name__ == "__main__":
    main()
