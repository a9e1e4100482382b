"""The common part of `relay check` and `relay doctor`: examine, print, exit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict

import typer

from relay.cli.printout.findings import print_findings
from relay.cli.printout.json_lines import print_json
from relay.database.session import Connection, connected
from relay.errors import ConfigurationError, DatabaseUnavailableError
from relay.operations import preflight
from relay.operations.findings import Finding, exit_code, unknown
from relay.settings import KafkaSettings, Settings, load, unknown_variables

Examine = Callable[[Connection, Settings], Iterator[Finding]]


def findings(command: str, examine: Examine, subjects: Sequence[str]) -> Iterator[Finding]:
    """Yield the findings about configuration and connection, and those of *examine*.

    *subjects*: all that *examine* looks at; those it does not come to are told as skipped.
    """
    yield from (Finding("environment", "warning", each) for each in unknown_variables())
    try:
        settings = load(
            database=True, stream=True, relay=True, events=True, kafka_faults=_kafka_faults
        )
    except ConfigurationError as error:
        for fault in error.faults:
            yield Finding("configuration", "failed", fault, error.exit_code)
        yield from unknown("the configuration is not valid", *subjects)
        return
    yield preflight.configuration(settings)
    seen: set[str] = set()
    try:
        where = settings.database
        with connected(where.conninfo(), command, schema=where.outbox_schema) as connection:
            for finding in examine(connection, settings):
                seen.add(finding.subject)
                yield finding
    except DatabaseUnavailableError as error:
        yield Finding(
            "database", "failed", str(error), error.exit_code, "database",
            'pg_isready --dbname "$DATABASE_URL"',
        )  # fmt: skip
        if "broker" not in seen:
            yield from preflight.stream(settings)
        left = [each for each in subjects if each not in {*seen, "database", "broker", "topic"}]
        yield from unknown("no database answered", *left)


def _kafka_faults(kafka: KafkaSettings) -> Iterator[str]:
    # Slow to import, and not needed while streaming is off.
    from relay.daemon.kafka.property_faults import property_faults  # noqa: PLC0415

    return property_faults(kafka)


def tell(findings: Iterable[Finding], *, as_json: bool, strict: bool) -> None:
    """Print the findings, faults to standard error as well, and exit with the code they call for.

    Raises:
        typer.Exit: always.
    """
    # The answer to the question comes first, whatever was looked at before.
    found = sorted(findings, key=lambda each: each.code != "outlook")
    code = exit_code(found, strict=strict)
    if as_json:
        print_json(
            {
                "exit_code": code,
                "findings": [
                    {**asdict(each), "code": each.code or each.subject.replace(" ", "-")}
                    for each in found
                ],
            }
        )
    else:
        print_findings(found)
    for finding in found:
        if finding.outcome in {"failed", "warning", "unknown"}:
            typer.echo(f"relay: {finding.outcome}: {finding.subject}: {finding.detail}", err=True)
    raise typer.Exit(code)
