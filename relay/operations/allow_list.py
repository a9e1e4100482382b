"""Allow list of a trigger: columns, and of JSON columns single paths, as SQL."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from relay.database.location import quoted
from relay.operations.sql_text import literal

_Tree: TypeAlias = dict[str, "_Tree"]


def selected(columns: Iterable[str], absent: Mapping[str, str], json: str) -> str:
    """Return what a snapshot selects of the row `state`.

    "a.b.c" is a path into the JSON column a; elements of arrays are looked into. *absent*: the text
    of a column without a value. *json*: the function that reads a text as JSON.
    """
    tree: _Tree = {}
    for column in columns:
        node = tree
        for part in column.split("."):
            node = node.setdefault(part, {})
    return ", ".join(
        f"{_value(column, paths, absent.get(column), json)} AS {quoted(column)}"
        for column, paths in tree.items()
    )


def _value(column: str, paths: _Tree, absent: str | None, json: str) -> str:
    value = f"(state).{quoted(column)}"
    if paths:
        # Read once, whatever the number of paths.
        read = f"{json}({value}::text, {literal(column)})"
        return f"(SELECT {_picked('found', paths)} FROM {read} AS found)"  # noqa: S608 - quoted
    return value if absent is None else f"coalesce(nullif({value}::text, ''), {literal(absent)})"


def _picked(value: str, tree: _Tree, depth: int = 0) -> str:
    if not tree:
        return value
    element = f"element_{depth}"
    return (
        f"CASE jsonb_typeof({value}) WHEN 'object' THEN {_object(value, tree, depth)} "  # noqa: S608 - quoted
        f"WHEN 'array' THEN (SELECT jsonb_agg(CASE jsonb_typeof({element}) "
        f"WHEN 'object' THEN {_object(element, tree, depth)} END) "
        f"FROM jsonb_array_elements({value}) AS {element}) END"
    )


def _object(value: str, tree: _Tree, depth: int) -> str:
    fields = (
        f"{literal(name)}, {_picked(f'({value} -> {literal(name)})', inner, depth + 1)}"
        for name, inner in tree.items()
    )
    return f"jsonb_build_object({', '.join(fields)})"
