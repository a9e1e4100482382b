"""Exclusions: fragments that leave rows out of a statement, and say where it starts."""

import re
from functools import lru_cache
from typing import Final

from relay.daemon.postgres.queries import fragments

_HELD_TOPICS: Final = "AND coalesce(o.topic, %(topic)s) <> ALL(%(held_topics)s::text[])"
_HELD_PARTITIONS: Final = """
AND NOT EXISTS (
        SELECT
          FROM unnest(%(held_partition_topics)s::text[],
                      %(held_partitions)s::integer[],
                      %(held_partition_counts)s::integer[]) AS h (topic, partition, partitions)
         WHERE h.topic = coalesce(o.topic, %(topic)s)
           AND h.partition = outbox_partition(
                   %(partitioner)s, coalesce(o.key, o.event_id::text), h.partitions)
    )"""
# Published, and locked by somebody: see unsettled.py. By event ids as well, since an id may be
# another row's by now.
_UNSETTLED: Final = """
AND NOT (o.id = ANY(%(unsettled)s::bigint[])
         AND o.event_id = ANY(%(unsettled_events)s::uuid[]))"""
_BLOCKED: Final = """
AND NOT EXISTS (
        SELECT
          FROM outbox AS p
         WHERE p.shard = o.shard
           AND hashtextextended(p.key, 0) = hashtextextended(o.key, 0)
           AND p.key = o.key
           AND p.parked_at IS NOT NULL
    )"""

_START: Final = re.compile(r"\{([^{}|]+) \| ([^{}|]+)\}")
_RESUMED: Final = rf"CASE WHEN {fragments.UNSEEN} THEN \2 ELSE \1 END"


@lru_cache(maxsize=128)
def with_exclusions(
    statement: str,
    *,
    topics: bool = False,
    partitions: bool = False,
    blocked: bool = False,
    unsettled: bool = False,
    resumed: bool = False,
) -> str:
    """Return *statement* looking past held topics and partitions, rows and keys of parked rows.

    *resumed*: it starts at the resume positions, as long as the writers beside them are unseen.
    """
    exclusions = (
        (_HELD_TOPICS if topics else "")
        + (_HELD_PARTITIONS if partitions else "")
        + (_UNSETTLED if unsettled else "")
    )
    return (
        _START.sub(_RESUMED if resumed else r"\1", statement)
        .replace("{exclusions}", exclusions)
        .replace("{published}", _UNSETTLED if unsettled else "")
        .replace("{blocked}", _BLOCKED if blocked else "")
    )
