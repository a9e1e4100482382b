-- What only relays, services and APIs of version 1 used. From here on they cannot work, and a relay
-- of version 1 that starts is told so.

UPDATE outbox_state SET oldest_relay = 2;

ALTER TABLE outbox DROP COLUMN size;
ALTER TABLE outbox_shard DROP COLUMN probation_until;

-- The views of 0002, and nothing that the service calls so.
DO $$
DECLARE
    old name;
BEGIN
    FOR old IN
        SELECT relname
          FROM pg_class
         WHERE oid IN (to_regclass('events'), to_regclass('event_limit'))
           AND relkind = 'v'
           AND obj_description(oid, 'pg_class') LIKE 'outbox_event% for version 1, until %'
    LOOP
        EXECUTE format('DROP VIEW %I', old);
    END LOOP;
END
$$;

DROP FUNCTION event_admitted(text, uuid, timestamptz, interval);
