import subprocess
import sys

PROGRAM = """
from pathlib import Path

from relay.service.api.serving.memory import return_large_blocks

def resident() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024

return_large_blocks()
# glibc learns from this one to keep smaller ones.
large = b"x" * (1 << 20)
del large
before = resident()
# What stays allocated beside them keeps the heap from shrinking.
blocks = [(b"x" * 900_000, b"y" * 30_000) for _ in range(50)]
small = [each[1] for each in blocks]
held = resident()
del blocks
print(held - before, resident() - before)
"""


def test_large_blocks_go_back_to_the_system_as_soon_as_they_are_free() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True
    )
    held, kept = map(int, ran.stdout.split())
    assert held > 40
    assert kept < 10
