"""Entries of a YAML file, each with the lines of its parts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from relay.errors import EventDefinitionError

LIST: Final = "x-events"
"""Key of the list, in a file that is an object."""

_MERGE: Final = "tag:yaml.org,2002:merge"


class _Texts(yaml.SafeLoader):
    """Loader that takes every plain value for a text: a property may be called `on` or `null`."""


_Texts.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == _MERGE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One entry: its *value*, texts alone; *doubled* are keys that are there twice, with lines."""

    value: Any
    node: yaml.Node
    doubled: Sequence[tuple[int, str]]

    def line(self, place: Sequence[int | str] = ()) -> int:
        """Return the line of *place*, a path of keys and positions; the nearest there is."""
        node = self.node
        line = node.start_mark.line
        for step in place:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line + 1


def entries_of(path: Path) -> list[FileEntry]:
    """Return the entries of the list that *path* holds, at the top or under `x-events`.

    Raises:
        EventDefinitionError: the file cannot be read, or holds no such list.
    """
    try:
        loader = _Texts(path.read_bytes())
        root = loader.get_single_node()
        if isinstance(root, yaml.MappingNode):
            root = (_child(root, LIST) or (0, None))[1]
        if not isinstance(root, yaml.SequenceNode):
            raise EventDefinitionError(
                f"{path}: it must hold a list of events, at the top or under {LIST}"
            )
        return [_entry(loader, node) for node in root.value]
    except OSError as error:
        raise EventDefinitionError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise EventDefinitionError(f"{path}: no valid YAML: {error}") from None


def _entry(loader: yaml.SafeLoader, node: yaml.Node) -> FileEntry:
    # First, because a merge key may bring what is there already.
    doubled = [*_doubled(node), *_doubled((_child(node, "properties") or (0, None))[1])]
    return FileEntry(loader.construct_document(node), node, doubled)


def _doubled(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value in seen:
            yield key.start_mark.line + 1, key.value
        seen.add(str(key.value))


def _child(node: yaml.Node | None, step: int | str) -> tuple[int, yaml.Node] | None:
    """Return the line, from 0, and the node of *step* in *node*."""
    if isinstance(node, yaml.MappingNode):
        return next((_at(key, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return _at(node.value[step], node.value[step])
    return None


def _at(key: yaml.Node, value: yaml.Node) -> tuple[int, yaml.Node]:
    return key.start_mark.line, value
