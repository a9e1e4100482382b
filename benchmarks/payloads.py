"""Payloads of about 1 KiB that look like real snapshots of hosts."""

import json
import random
import uuid
from typing import Final

STATUSES: Final = ("known", "preparing-for-installation", "installing", "installed", "error")
STAGES: Final = ("Writing image to disk", "Rebooting", "Configuring", "Joined", "Done")
VENDORS: Final = ("Dell Inc.", "HPE", "Supermicro", "Lenovo")


def payloads(count: int, seed: int = 7) -> list[str]:
    """Return *count* different payloads, as JSON texts."""
    source = random.Random(seed)
    return [json.dumps(_host(source)) for _ in range(count)]


def _host(source: random.Random) -> dict[str, object]:
    def identity() -> str:
        return str(uuid.UUID(int=source.getrandbits(128), version=4))

    return {
        "id": identity(),
        "cluster_id": identity(),
        "infra_env_id": identity(),
        "requested_hostname": f"host-{source.randrange(10_000)}.example.org",
        "status": source.choice(STATUSES),
        "status_updated_at": f"2026-11-24T{source.randrange(24):02}:{source.randrange(60):02}:07Z",
        "progress": {"current_stage": source.choice(STAGES), "percent": source.randrange(101)},
        "role": source.choice(("master", "worker")),
        "inventory": {
            "cpu": {"count": source.choice((8, 16, 32, 64)), "frequency": source.random() * 4000},
            "memory": {"physical_bytes": source.randrange(1 << 34, 1 << 38)},
            "disks": [
                {
                    "by_path": f"/dev/disk/by-path/pci-{source.getrandbits(32):08x}",
                    "wwn": identity(),
                }
                for _ in range(3)
            ],
            "interfaces": [
                {
                    "name": f"eno{n}",
                    "mac_address": source.getrandbits(48).to_bytes(6, "big").hex(":"),
                    "ipv4": f"10.{source.randrange(256)}.{source.randrange(256)}.7/24",
                }
                for n in range(2)
            ],
            "system_vendor": {"manufacturer": source.choice(VENDORS), "serial": identity()},
        },
    }
