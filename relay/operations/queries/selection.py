"""Statements that find rows and show one. Only the last reads a payload."""

from typing import Final

# A row matches all parameters that are given; pages go by ascending id. Values are known when the
# statement is planned, so that each of them may still use its index.
SELECT: Final = """
SELECT id,
       event_id,
       shard,
       topic,
       key,
       name,
       state,
       created_at,
       extract(epoch FROM age)::float8 AS age_seconds,
       size,
       attempts,
       parked_at,
       last_error
  FROM outbox_overview
 WHERE id > %(after)s
   AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
   AND (%(event_id)s::uuid IS NULL OR event_id = %(event_id)s::uuid)
   AND (%(state)s::text IS NULL OR (parked_at IS NULL) = (%(state)s::text = 'pending'))
   AND (%(key)s::text IS NULL OR (key = %(key)s::text AND shard = outbox_shard_of(%(key)s::text)))
   AND (%(name)s::text IS NULL OR name = %(name)s::text)
   AND (%(reason)s::text IS NULL
        OR parked_at IS NOT NULL
           AND regexp_replace(coalesce(last_error, ''), '[0-9][0-9,.]*', 'N', 'g')
               = %(reason)s::text)
   AND (%(topic)s::text IS NULL OR coalesce(topic, %(default_topic)s::text, '') = %(topic)s::text)
   AND (%(older_than)s::interval IS NULL
        OR created_at < statement_timestamp() - %(older_than)s::interval)
   AND (%(newer_than)s::interval IS NULL
        OR created_at > statement_timestamp() - %(newer_than)s::interval)
 ORDER BY id
 LIMIT %(limit)s
"""

# Needs the role outbox_payload_reader.
PAYLOAD: Final = """
SELECT payload::text,
       metadata::text,
       CASE
           WHEN replayed THEN (coalesce(headers::jsonb, '{}') || '{"replay": "true"}')::text
           ELSE headers::text
       END
  FROM outbox
 WHERE id = %(id)s
"""
