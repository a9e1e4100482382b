-- What version 1 called events and event_limit gets our prefix. Views of the old names let services,
-- APIs and purges of version 1 go on until 0004; its function event_admitted writes through them.
--
-- Version 1 also took a table `events` of the service's own for ours, if that had the columns of the
-- indexes. It has no event_id, and stays with the service, without our indexes and grants.

DO $$
DECLARE
    -- Before anything is renamed.
    events_are_ours CONSTANT boolean := 12 = (
        SELECT count(*)
          FROM pg_attribute
         WHERE attrelid = to_regclass('events')
           AND attname IN ('id', 'event_id', 'name', 'category', 'severity', 'message', 'event_time',
                           'cluster_id', 'host_id', 'infra_env_id', 'request_id', 'props'));
    limits_are_ours CONSTANT boolean := 4 = (
        SELECT count(*)
          FROM pg_attribute
         WHERE attrelid = to_regclass('event_limit')
           AND attname IN ('name', 'resource', 'last_at', 'pause'));
    index_name name;
    renamed    record;
    permission text[];
BEGIN
    FOR index_name IN
        SELECT c.relname
          FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
         WHERE i.indrelid = to_regclass('events')
           AND c.relname IN ('events_by_cluster', 'events_by_host', 'events_by_infra_env',
                             'events_by_time', 'events_by_severity', 'events_by_category',
                             'events_by_message')
    LOOP
        IF events_are_ours THEN
            EXECUTE format('ALTER INDEX %I RENAME TO %I', index_name,
                           replace(index_name, 'events', 'outbox_event'));
        ELSE
            EXECUTE format('DROP INDEX %I', index_name);
        END IF;
    END LOOP;

    IF events_are_ours THEN
        ALTER TABLE events RENAME TO outbox_event;
        ALTER SEQUENCE events_id_seq RENAME TO outbox_event_id_seq;
        ALTER TABLE outbox_event
            ADD CONSTRAINT outbox_event_event_time_check CHECK (isfinite(event_time)) NOT VALID;
        CREATE VIEW events AS SELECT * FROM outbox_event;
        -- After the view, which version 1 reads by its own columns.
        ALTER TABLE outbox_event
            ADD COLUMN subject_kind text,
            ADD COLUMN subject_id text,
            ADD CONSTRAINT outbox_event_subject_check CHECK (
                (subject_kind IS NULL) = (subject_id IS NULL)
                AND octet_length(subject_kind) <= 63
                AND octet_length(subject_id) BETWEEN 1 AND 1024) NOT VALID;
        COMMENT ON VIEW events IS 'outbox_event for version 1, until `relay migrate --phase post`';
    ELSIF to_regclass('events') IS NOT NULL THEN
        RAISE WARNING 'the table events is not the outbox''s, it has no column event_id: the rights '
                      'and indexes that version 1 gave it were taken back';
    END IF;

    IF limits_are_ours THEN
        ALTER TABLE event_limit RENAME TO outbox_event_limit;
        ALTER TABLE outbox_event_limit
            ADD CONSTRAINT outbox_event_limit_last_at_check CHECK (isfinite(last_at)) NOT VALID,
            ADD CONSTRAINT outbox_event_limit_pause_check CHECK (isfinite(pause)) NOT VALID;
        CREATE VIEW event_limit AS SELECT * FROM outbox_event_limit;
        COMMENT ON VIEW event_limit
            IS 'outbox_event_limit for version 1, until `relay migrate --phase post`';
    END IF;

    -- NOT NULL is among them since PostgreSQL 18.
    FOR renamed IN
        SELECT conrelid::regclass AS table_name, conname
          FROM pg_constraint
         WHERE conrelid IN (to_regclass('outbox_event'), to_regclass('outbox_event_limit'))
           AND conname ~ '^event'
    LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', renamed.table_name,
                       renamed.conname,
                       regexp_replace(renamed.conname, '^events?', 'outbox_event'));
    END LOOP;

    -- The same rights on the views as on the tables; on a table that is not ours none.
    FOREACH permission SLICE 1 IN ARRAY ARRAY[
        ['outbox_writer', 'INSERT', 'events'],
        ['outbox_payload_reader', 'SELECT', 'events'],
        ['outbox_api', 'SELECT, INSERT', 'events'],
        ['outbox_purger', 'SELECT (id, event_time), DELETE', 'events'],
        ['outbox_purger', 'SELECT, DELETE, UPDATE (last_at)', 'event_limit']
    ]
    LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = permission[1])
           AND to_regclass(permission[3]) IS NOT NULL
        THEN
            EXECUTE format(
                CASE
                    WHEN CASE permission[3] WHEN 'events' THEN events_are_ours ELSE limits_are_ours END
                    THEN 'GRANT %s ON %I TO %I'
                    ELSE 'REVOKE %s ON %I FROM %I'
                END, permission[2], permission[3], permission[1]);
        END IF;
    END LOOP;
END
$$;
