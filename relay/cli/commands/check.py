from relay.cli.options import AsJson, Strict


def check(*, as_json: AsJson = False, strict: Strict = False) -> None:
    """Check configuration, database, schema, broker and topic before a relay starts.

    A missing topic or a broker that does not answer is a warning, with exit code 0: the relay
    starts nevertheless, and rows wait in the outbox.
    """
    from relay.cli.diagnosis import findings, tell
    from relay.operations.preflight import SUBJECTS, examine

    tell(findings("relay check", examine, SUBJECTS), as_json=as_json, strict=strict)
