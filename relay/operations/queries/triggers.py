"""SQL of the triggers that take snapshots, to be applied by the owner of a table.

A trigger fires at the commit, once for each change of a row, and only the change that left the
published columns as they are now speaks: so a transaction yields one snapshot a row, none where no
published column changed, and its id is drawn under the row's lock, in commit order.
"""

from typing import Final

LIMITS: Final = """\
-- What a trigger cannot do:
--   It has no redactor: the columns below are an allow list, and go out as they are.
--   Snapshots come after what the transaction emits itself. To have the state first, say
--   SET CONSTRAINTS ALL IMMEDIATE after the changes and before outbox_emit().
--   It does not see TRUNCATE. A row that came and went in one transaction is published as deleted.
--   Where only paths of a column are published and it holds no JSON, they are null, with a warning.
--   A column of type json that is published whole must hold what jsonb takes: a change to what
--   it does not take, such as \\u0000, is refused, and the error names the column.
--   Numbers stay JSON numbers, whatever their precision.
"""

_ROW: Final = """\
BEGIN;
SET LOCAL lock_timeout = '2s';

-- As version 1 of the outbox had it. Beside the next one no call would be clear.
DROP FUNCTION IF EXISTS {row}({table}, boolean, jsonb);

-- The columns that are published, and the key. PostgreSQL keeps track of what this body names: a
-- column that does not exist is refused here, one that is renamed is followed and keeps its name on
-- the stream, and one in use is not dropped: apply this again without it first.
CREATE OR REPLACE FUNCTION {state}(state {table}, OUT payload jsonb, OUT key text)
    LANGUAGE sql STABLE SET timezone = 'UTC'
BEGIN ATOMIC
    SELECT (SELECT to_jsonb(published) FROM (SELECT {columns}) AS published), coalesce({key});
END;

-- The row that has the primary key of *state* now, and its place.
CREATE OR REPLACE FUNCTION {present}(state {table}, OUT place tid, OUT state_now {table})
    RETURNS SETOF record LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT present.ctid, present FROM {table} AS present WHERE {same};
END;

-- Publishes one row. Also for a replay.
CREATE OR REPLACE FUNCTION {row}(
    state {table}, deleted boolean DEFAULT false, replayed boolean DEFAULT false
) RETURNS uuid LANGUAGE sql SET search_path FROM CURRENT AS $outbox$
    SELECT {emit}(
        {name},
        s.payload || CASE WHEN deleted THEN '{{"deleted": true}}'::jsonb ELSE '{{}}' END,
        key => s.key,
        topic => {topic},
        replayed => replayed
    ) FROM {state}(state) AS s;
$outbox$;

"""

# jsonb takes less than json does, and its own errors would quote the row.
REFUSAL: Final = """\
    EXCEPTION WHEN data_exception THEN
        reason := SQLERRM;
        FOR part IN SELECT attname FROM pg_attribute
                     WHERE attrelid = TG_RELID AND attnum > 0 AND NOT attisdropped LOOP
            BEGIN
                EXECUTE format('SELECT to_jsonb(($1).%I)', part.attname) USING coalesce(NEW, OLD);
            EXCEPTION WHEN data_exception THEN
                broken := concat_ws(', ', broken, part.attname);
            END;
        END LOOP;
        IF broken IS NOT NULL OR TG_OP <> 'UPDATE' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'data_exception',
                MESSAGE = format(
                    'table %s: the column %s holds JSON that the outbox cannot publish: %s',
                    TG_TABLE_NAME, coalesce(broken, '(unknown)'), reason),
                HINT = 'Write another value; or let the trigger publish paths of the column, as in'
                       ' --columns settings.cpu, or leave it out: see relay triggers --help.';
        END IF;
        -- The row was like that, and this UPDATE mends it.
        SELECT NULL::jsonb AS payload, NULL::text AS key INTO former;
    END;
"""

CREATE: Final = (
    """\
-- Snapshots of {table} as {name}. Apply it where the outbox is, as the owner of the table; it may
-- be applied again, and waits two seconds at most for writers to let it.
{limits}
"""  # noqa: S608 - a template
    + _ROW
    + """\
-- As its owner, so that whoever may write the table needs no right on the outbox.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $outbox$
DECLARE
    former  record;
    latest  record;
    present record;
    shown   text;
    part    record;
    reason  text;
    broken  text;
    -- The primary key of OLD is another row's, or nobody's.
    is_left boolean := TG_OP = 'DELETE';
BEGIN
    BEGIN
        IF TG_OP <> 'DELETE' THEN
            SELECT * INTO latest FROM {state}(NEW);
        END IF;
        IF TG_OP <> 'INSERT' THEN
            SELECT * INTO former FROM {state}(OLD);
        END IF;
{refusal}    IF TG_OP <> 'DELETE' THEN
        IF TG_OP = 'UPDATE' THEN
            IF former IS NOT DISTINCT FROM latest THEN
                RETURN NULL;
            END IF;
            is_left := {moved};
        END IF;
        -- Only what is still there speaks, though columns that nobody reads may have changed since.
        SELECT * INTO present FROM {present}(NEW);
        IF FOUND AND (present.place = NEW.ctid
                      OR (SELECT s FROM {state}(present.state_now) AS s) = latest) THEN
            -- Once, where a transaction came back to it.
            shown := md5(concat({name}, latest.key, latest.payload));
            IF shown IS DISTINCT FROM current_setting('outbox.last_shown', true) THEN
                PERFORM {row}(present.state_now);
                PERFORM set_config('outbox.last_shown', shown, true);
            END IF;
        END IF;
    END IF;
    IF is_left THEN
        PERFORM FROM {present}(OLD);
        IF NOT FOUND THEN
            PERFORM {row}(OLD, deleted => true);
            PERFORM set_config('outbox.last_shown', '', true);
        END IF;
    END IF;
    RETURN NULL;
END
$outbox$;

DROP TRIGGER IF EXISTS {trigger} ON {table};
CREATE CONSTRAINT TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {function}();
COMMENT ON TRIGGER {trigger} ON {table} IS {description};
COMMIT;
"""
)

CREATE_INSERTS: Final = (
    """\
-- Inserted rows of {table} as {name}. Apply it where the outbox is, as the owner of the table; it
-- may be applied again, and waits two seconds at most for writers to let it.
{limits}
"""
    + _ROW
    + """\
-- As its owner, so that whoever may write the table needs no right on the outbox.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $outbox$
DECLARE
    former  record;
    part    record;
    reason  text;
    broken  text;
BEGIN
    BEGIN
        PERFORM payload FROM {state}(NEW);
{refusal}    PERFORM {row}(NEW);
    RETURN NULL;
END
$outbox$;

DROP TRIGGER IF EXISTS {trigger} ON {table};
CREATE CONSTRAINT TRIGGER {trigger} AFTER INSERT ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {function}();
COMMIT;
"""
)

DROP: Final = """\
BEGIN;
SET LOCAL lock_timeout = '2s';
DROP TRIGGER IF EXISTS {trigger} ON {table};
DROP FUNCTION IF EXISTS {function}();
DROP FUNCTION IF EXISTS {row}({table}, boolean, boolean);
DROP FUNCTION IF EXISTS {row}({table}, boolean, jsonb);
DROP FUNCTION IF EXISTS {present}({table});
DROP FUNCTION IF EXISTS {state}({table});
COMMIT;
"""
