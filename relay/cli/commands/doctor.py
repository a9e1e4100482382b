from dataclasses import dataclass
from typing import Annotated

import typer

from relay.cli.options import AsJson, Strict


@dataclass(frozen=True)
class Limits:
    """Options that say from where on something is a finding."""

    max_lag: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Oldest age of a row that could go.")
    ] = 60.0
    max_writer: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest open transaction of a writer.")
    ] = 60.0
    max_lease: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest lease of a relay.")
    ] = 60.0
    max_blocked: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest wait of a relay for a lock.")
    ] = 1.0
    max_xmin: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Oldest transaction anywhere.")
    ] = 3_600.0
    max_xmin_transactions: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Transactions since the oldest one.")
    ] = 10_000_000
    max_dead_rows: Annotated[
        int, typer.Option(min=0, metavar="COUNT", help="Dead rows in the outbox.")
    ] = 1_000_000
    max_clock_skew: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Difference from the database's clock.")
    ] = 1.0


def doctor(*, limits: Limits, as_json: AsJson = False, strict: Strict = False) -> None:
    """Tell whether everything that waits is on its way, and what stands in its way.

    Then checks all that `relay check` does, the user's rights, the plan of the claim, vacuum and
    who holds it up, disk, clocks, the sequence after a restore, the addresses that brokers
    advertise, and rights on, leaders and size limit of each topic that rows wait for. Each fault
    comes with the command to type. Run it with the relay's own settings. Reads no payload; changes
    nothing.
    """
    from dataclasses import asdict
    from functools import partial

    from relay.cli.diagnosis import findings, tell
    from relay.operations.doctor import SUBJECTS, diagnose
    from relay.operations.outlook import Thresholds

    given = {name.removeprefix("max_"): value for name, value in asdict(limits).items()}
    examine = partial(diagnose, thresholds=Thresholds(**given))
    tell(findings("relay doctor", examine, SUBJECTS), as_json=as_json, strict=strict)
