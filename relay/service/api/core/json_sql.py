"""SQL of an event as JSON text.

Put together from texts: `json_build_object`, which must find out the type of each value for each
row, takes nearly twice as long for a page.
"""

from typing import Final, LiteralString

# As in to_json, but in UTC whatever the server's zone.
TIME: Final = (
    """'"' || to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || 'Z"'"""
)


def text(value: LiteralString) -> LiteralString:
    """Return the SQL of a text, or of null."""
    return f"coalesce(to_json({value})::text, 'null')"


def uuid(column: LiteralString) -> LiteralString:
    """Return the SQL of a UUID, or of null."""
    return f"""coalesce('"' || {column} || '"', 'null')"""


def json_object(**values: LiteralString) -> LiteralString:
    """Return the SQL of an object, whose *values* are SQL of JSON texts."""
    fields = " || ', ".join(f"""\"{name}\": ' || {value}""" for name, value in values.items())
    return f"('{{{fields} || '}}')"
