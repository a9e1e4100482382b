"""Changes by operators. The functions keep the reason, and are all that operators may use."""

from typing import Final

# Each returns what it changed, which may be less than it was given: rows come and go.
REQUEUE: Final = "SELECT outbox_requeue(%(targets)s::bigint[], %(reason)s, %(person)s)"
DISCARD: Final = "SELECT outbox_discard(%(targets)s::bigint[], %(reason)s, %(person)s)"
REDIRECT: Final = """
SELECT outbox_redirect(%(targets)s::bigint[], %(topic)s, %(reason)s, %(person)s)
"""
PAUSE: Final = "SELECT outbox_pause(%(targets)s::smallint[], %(reason)s, %(person)s)"
RESUME: Final = "SELECT outbox_resume(%(targets)s::smallint[], %(reason)s, %(person)s)"

# Recorded by the relays, which know the preset.
STATES: Final = "SELECT unnest(states) FROM outbox_state"

SHARD_OF: Final = "SELECT outbox_shard_of(%(key)s)"
