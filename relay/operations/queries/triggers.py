"""SQL of the triggers that take snapshots, to be applied by the owner of a table.

A trigger fires at the commit, once for each change of a row, and only the change that left the row
as it is now speaks: so a transaction yields one snapshot a row, and its id is drawn under the
row's lock, in commit order.
"""

from typing import Final

LIMITS: Final = """\
-- What a trigger cannot do:
--   It has no redactor: the columns below are an allow list, and go out as they are.
--   Snapshots come after what the transaction emits itself. To have the state first, say
--   SET CONSTRAINTS ALL IMMEDIATE after the changes and before outbox_emit().
--   It does not see TRUNCATE. A row that came and went in one transaction is published as deleted.
--   Numbers stay JSON numbers, whatever their precision.
"""

CREATE: Final = """\
-- Snapshots of {table} as {name}. Apply it where the outbox is, as the owner of the table; it may
-- be applied again, and waits two seconds at most for writers to let it.
{limits}
BEGIN;
SET LOCAL lock_timeout = '2s';

-- As version 1 of the outbox had it. Beside the next one no call would be clear.
DROP FUNCTION IF EXISTS {row}({table}, boolean, jsonb);

-- Publishes one row. Also for a replay; a column that does not exist is refused here, not later.
CREATE OR REPLACE FUNCTION {row}(
    state {table}, deleted boolean DEFAULT false, replayed boolean DEFAULT false
) RETURNS uuid LANGUAGE sql SET search_path FROM CURRENT SET timezone = 'UTC' AS $outbox$
    SELECT {emit}(
        {name},
        (SELECT to_jsonb(published) FROM (SELECT {columns}) AS published)
            || CASE WHEN deleted THEN '{{"deleted": true}}'::jsonb ELSE '{{}}' END,
        key => coalesce({key}),
        topic => {topic},
        replayed => replayed
    );
$outbox$;

-- As its owner, so that whoever may write the table needs no right on the outbox.
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $outbox$
BEGIN
    -- Only the last version of a row speaks: the others are not there any more.
    IF TG_OP <> 'DELETE' AND EXISTS (
        SELECT FROM {table} AS present WHERE {same} AND present.ctid = NEW.ctid
    ) THEN
        PERFORM {row}(NEW);
    END IF;
    IF (TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND ({moved})) AND NOT EXISTS (
        SELECT FROM {table} AS present WHERE {gone}
    ) THEN
        PERFORM {row}(OLD, deleted => true);
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

DROP: Final = """\
BEGIN;
SET LOCAL lock_timeout = '2s';
DROP TRIGGER IF EXISTS {trigger} ON {table};
DROP FUNCTION IF EXISTS {function}();
DROP FUNCTION IF EXISTS {row}({table}, boolean, boolean);
DROP FUNCTION IF EXISTS {row}({table}, boolean, jsonb);
COMMIT;
"""
