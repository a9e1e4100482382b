"""The truth to judge by: kept by the transactions themselves, however they ended."""

from typing import Final

# What was committed, and when it was deleted.
WITNESS: Final = """
CREATE TABLE soak_written (seq bigint, event_id uuid, key text);
CREATE TABLE soak_deleted (event_id uuid, at_ms bigint);
CREATE FUNCTION soak_witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO soak_written VALUES (NEW.id, NEW.event_id, NEW.key);
    ELSE
        INSERT INTO soak_deleted
        VALUES (OLD.event_id, extract(epoch FROM clock_timestamp()) * 1000);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER soak_witness AFTER INSERT OR DELETE ON outbox
    FOR EACH ROW EXECUTE FUNCTION soak_witness();
"""
