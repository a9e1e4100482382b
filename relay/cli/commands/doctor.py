from relay.cli.options import AsJson, Strict


def doctor(*, as_json: AsJson = False, strict: Strict = False) -> None:
    """Diagnose outbox, relay and broker, and suggest fixes.

    Checks all that `relay check` does, then the user's rights, the plan of the claim, vacuum and
    its obstacles, clocks, the sequence after a restore, and rights on and size limit of each topic
    that rows wait for. Run it with the relay's own settings. Reads no payload; changes nothing.
    """
    from relay.cli.diagnosis import findings, tell
    from relay.operations.doctor import SUBJECTS, diagnose

    tell(findings("relay doctor", diagnose, SUBJECTS), as_json=as_json, strict=strict)
