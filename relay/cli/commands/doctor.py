from typing import Annotated

import typer

from relay.cli.options import AsJson, Strict


def doctor(
    *,
    max_lag: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Oldest age of a row that could go.")
    ] = 60.0,
    max_writer: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest open transaction of a writer.")
    ] = 60.0,
    max_lease: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest lease of a relay.")
    ] = 60.0,
    as_json: AsJson = False,
    strict: Strict = False,
) -> None:
    """Tell whether everything that waits is on its way, and what stands in its way.

    Then checks all that `relay check` does, the user's rights, the plan of the claim, vacuum and
    its obstacles, clocks, the sequence after a restore, and rights on and size limit of each topic
    that rows wait for. Each fault comes with the command to type. Run it with the relay's own
    settings. Reads no payload; changes nothing.
    """
    from functools import partial

    from relay.cli.diagnosis import findings, tell
    from relay.operations.doctor import SUBJECTS, diagnose
    from relay.operations.outlook import Thresholds

    thresholds = Thresholds(lag=max_lag, writer=max_writer, lease=max_lease)
    examine = partial(diagnose, thresholds=thresholds)
    tell(findings("relay doctor", examine, SUBJECTS), as_json=as_json, strict=strict)
