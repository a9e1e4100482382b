-- Rows that are older than the rule: an infinite time says nothing, and stopped relays of version 1
-- for ever. Now it is the time of this migration; nothing else of the row is changed. Validating a
-- constraint reads the table, and lets everybody write meanwhile.

UPDATE outbox SET created_at = clock_timestamp() WHERE NOT isfinite(created_at);
UPDATE outbox SET parked_at = clock_timestamp() WHERE NOT isfinite(parked_at);
ALTER TABLE outbox VALIDATE CONSTRAINT outbox_id_check;
ALTER TABLE outbox VALIDATE CONSTRAINT outbox_created_at_check;
ALTER TABLE outbox VALIDATE CONSTRAINT outbox_parked_at_check;

-- Absent where version 1 had taken a table of the service's own: the whole schema makes them anew.
DO $$
BEGIN
    IF to_regclass('outbox_event') IS NOT NULL THEN
        -- By the index on the time: there may be very many events.
        UPDATE outbox_event SET event_time = clock_timestamp()
         WHERE event_time IN ('infinity', '-infinity');
        ALTER TABLE outbox_event VALIDATE CONSTRAINT outbox_event_event_time_check;
        ALTER TABLE outbox_event VALIDATE CONSTRAINT outbox_event_subject_check;
    END IF;
    IF to_regclass('outbox_event_limit') IS NOT NULL THEN
        -- A rate limit of no time is none.
        DELETE FROM outbox_event_limit WHERE NOT isfinite(last_at) OR NOT isfinite(pause);
        ALTER TABLE outbox_event_limit VALIDATE CONSTRAINT outbox_event_limit_last_at_check;
        ALTER TABLE outbox_event_limit VALIDATE CONSTRAINT outbox_event_limit_pause_check;
    END IF;
END
$$;
