"""The envelope: what a consumer finds in the value of a message.

``{"name": ..., "payload": {...}, "metadata": {"versions": {...}}}``
"""

import json
from collections.abc import Mapping
from functools import lru_cache

from relay.jsontext import to_json


@lru_cache(maxsize=4096)
def _opening(name: str) -> str:
    return f'{{"name": {json.dumps(name, ensure_ascii=False)}, "payload": '


def wrap(name: str, payload: str, metadata: str) -> bytes:
    """Return the envelope of one row, as UTF-8.

    *payload* and *metadata* are JSON texts. They are spliced in as they are: what the writer
    stored is what the consumer reads, byte for byte.
    """
    return f'{_opening(name)}{payload}, "metadata": {metadata}}}'.encode()


def metadata(versions: Mapping[str, object]) -> str:
    """Return the JSON text of a row's metadata for the *versions* of its writer."""
    return to_json({"versions": dict(versions)}, "metadata")
