-- From version 1. Relays and services of version 1 go on beside it: they read `size` and
-- `probation_until`, which stay until 0004, and neither sees the new columns.

CREATE TABLE outbox_migration (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE outbox
    -- A constant default: no row is rewritten.
    ADD COLUMN replayed boolean NOT NULL DEFAULT false,
    -- Not valid yet: rows that are there are looked at by 0003, without this lock.
    ADD CONSTRAINT outbox_id_check CHECK (id > -9223372036854775808) NOT VALID,
    ADD CONSTRAINT outbox_created_at_check CHECK (isfinite(created_at)) NOT VALID,
    ADD CONSTRAINT outbox_parked_at_check CHECK (isfinite(parked_at)) NOT VALID;

-- The whole schema makes it anew, by the hash of the key.
DROP INDEX IF EXISTS outbox_parked;

ALTER TABLE outbox_shard ADD COLUMN isolated_until bigint;
ALTER TABLE outbox_shard ADD COLUMN unsettled jsonb;

ALTER TABLE outbox_audit
    DROP CONSTRAINT outbox_audit_action_check,
    ADD CONSTRAINT outbox_audit_action_check
        CHECK (action IN ('requeue', 'discard', 'restore', 'redirect', 'pause', 'resume', 'end')),
    ALTER COLUMN shard DROP NOT NULL,
    ADD COLUMN digest bytea;

ALTER TABLE outbox_state
    ADD COLUMN streaming_by text,
    ADD COLUMN streaming_at timestamptz,
    ADD COLUMN states text[] NOT NULL DEFAULT '{}';

-- One more parameter is another function; beside this one no call would be clear. In one transaction
-- with its successor, or a service would call in vain.
DROP FUNCTION outbox_emit(text, jsonb, text, text, jsonb, jsonb, uuid);

CREATE FUNCTION outbox_emit(
    name     text,
    payload  jsonb,
    key      text  DEFAULT NULL,
    topic    text  DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    headers  jsonb DEFAULT NULL,
    event_id uuid  DEFAULT gen_random_uuid(),
    replayed boolean DEFAULT false
) RETURNS uuid LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF NOT (SELECT streaming FROM outbox_state) THEN
        RETURN NULL;
    END IF;
    INSERT INTO outbox (event_id, topic, key, name, payload, metadata, headers, replayed)
        VALUES (outbox_emit.event_id, outbox_emit.topic, outbox_emit.key, outbox_emit.name,
                outbox_emit.payload::json, outbox_emit.metadata::json, outbox_emit.headers::json,
                outbox_emit.replayed);
    RETURN outbox_emit.event_id;
END
$$;

-- Without the column that 0004 drops.
CREATE OR REPLACE VIEW outbox_overview AS
SELECT id,
       event_id,
       shard,
       topic,
       key,
       name,
       CASE WHEN parked_at IS NULL THEN 'pending' ELSE 'parked' END AS state,
       created_at,
       statement_timestamp() - created_at AS age,
       octet_length(payload::text)
           + octet_length(name)
           + coalesce(octet_length(metadata::text), 0)
           + coalesce(octet_length(headers::text), 0)
           + coalesce(octet_length(key), 0) AS size,
       attempts,
       parked_at,
       last_error
  FROM outbox;
