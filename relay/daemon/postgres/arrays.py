"""Arrays as PostgreSQL reads them: psycopg builds one from Python's list an element at a time."""

from collections.abc import Iterable, Mapping


def array(values: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array of *values*."""
    return "{" + ",".join(map(str, values)) + "}"


def identities(events: Mapping[int, str]) -> dict[str, str]:
    """Return the parameters of a statement about rows, given their event ids by id."""
    return {"ids": array(events), "event_ids": array(events.values())}
