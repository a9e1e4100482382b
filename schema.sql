-- The outbox: tables, indexes, functions and grants.
--
-- Applied by `relay migrate` in one transaction; every statement may run again. Tables of an earlier
-- version are changed by relay/database/migrations first. Names are not qualified: everything goes
-- to the first schema of the search_path. PostgreSQL 14 and later.

-- Functions keep this search_path: the schema of the tables, and no other. Temporary tables come
-- last in it, or a user could have those that run as the owner take a table of his for one of ours.
-- For the rest of this transaction.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)
 WHERE current_schema() IS NOT NULL;

-- ---------------------------------------------------------------------------------------------
-- State: one row about the installation as a whole
-- ---------------------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS outbox_state (
    -- Exactly one row: a second one would make "the version" ambiguous.
    singleton    boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- What `relay check` compares with the schema that the program was written for.
    version      integer NOT NULL,
    -- The lowest schema version a relay must know to work here: lets old and new relays run side
    -- by side during a rolling update, and stops one that is too old.
    oldest_relay integer NOT NULL,
    -- Triggers and outbox_emit() cannot see ENABLE_EVENT_STREAMING; they read this. Without it,
    -- switching the stream off would let the outbox grow for ever.
    streaming    boolean NOT NULL DEFAULT true,
    -- Counts requeues. Relays skip what lies below a low watermark; a requeued row comes back below it, so
    -- a changed count makes every relay look from the beginning once.
    requeues     bigint NOT NULL DEFAULT 0,
    -- The relay that set `streaming` last, and when. Null: as it was created.
    streaming_by text,
    streaming_at timestamptz,
    -- Names of states whose consumers know no `seq`, as the relays have it from their preset: such a
    -- row is never requeued, or it could win over a newer one, whoever asks and however.
    states       text[] NOT NULL DEFAULT '{}'
);

-- The migrations that this database has behind it. One that was made new has them all.
CREATE TABLE IF NOT EXISTS outbox_migration (
    -- They run in this order.
    number     integer PRIMARY KEY,
    -- NNNN_pre_… runs before the programs of its version are rolled out, NNNN_post_… after.
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO outbox_migration (number, name)
SELECT *
  FROM (VALUES (1, '0001_pre_outbox'),
               (2, '0002_pre_events'),
               (3, '0003_pre_finite_times'),
               (4, '0004_post_without_version_1')) AS m
 WHERE NOT EXISTS (SELECT FROM outbox_state)
    ON CONFLICT DO NOTHING;

-- ---------------------------------------------------------------------------------------------
-- Outbox: what is to be published
-- ---------------------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS outbox (
    -- The order of publication within a key, and the `seq` header. CACHE 1, or two sessions would
    -- draw ids out of order although their locks put the transactions in order. ALWAYS, because an
    -- id chosen by a writer could lie below the relays' low watermarks and never be seen. The lowest
    -- of all is where they start, so that none would look there.
    id         bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY
                   CHECK (id > -9223372036854775808),
    -- The `id` header: what consumers deduplicate by. No unique index: nothing looks rows up by
    -- it, and every writer would pay for it.
    event_id   uuid NOT NULL DEFAULT gen_random_uuid(),
    -- The unit of locking: all rows of a key are in one shard, and one relay at a time works on a
    -- shard. Rows without a key have no order to keep and spread by their event id. The extended
    -- hash is the one of hash partitioning, which is kept stable across PostgreSQL versions.
    shard      smallint NOT NULL GENERATED ALWAYS AS (
                   (hashtextextended(coalesce(key, event_id::text), 0) & 63)::smallint
               ) STORED,
    -- Null is the relay's default topic. Kafka's own rule for names, or a typing error would be
    -- found only after the commit.
    topic      text CHECK (topic ~ '^[a-zA-Z0-9._-]{1,249}$'),
    -- Null is "no order wanted"; the empty text is a key like any other.
    key        text,
    name       text NOT NULL CHECK (name <> ''),
    -- json, not jsonb: the text is published as it was written, byte for byte.
    payload    json NOT NULL CHECK (json_typeof(payload) = 'object'),
    -- Stamped by the writer, whose versions they are. Null (plain SQL): the relay fills in its own.
    metadata   json CHECK (json_typeof(metadata) = 'object'),
    -- Further Kafka headers, text to text: traceparent.
    headers    json CHECK (json_typeof(headers) = 'object'),
    -- The clock, not now(): now() is when the transaction began, and lag is counted from here.
    -- Finite: relays count in milliseconds, and infinity has none.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (isfinite(created_at)),
    -- How often this row itself failed, or a relay died with it in its hands. Outages don't count.
    attempts   smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Set: the row is out of the way until somebody requeues or discards it.
    parked_at  timestamptz CHECK (isfinite(parked_at)),
    -- Why it was parked. Never holds a part of the payload.
    last_error text,
    -- Published once before: the relay says so in the header `replay`. A column, because the header
    -- is refused from writers; those may say it of their own rows, as a service that replays does.
    replayed   boolean NOT NULL DEFAULT false
);

-- A queue table is mostly dead rows: vacuum by count, not by a share of the table, at full speed.
-- Truncating the empty end takes an exclusive lock, for which writers would have to wait.
ALTER TABLE outbox SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 20000,
    toast.autovacuum_vacuum_cost_delay = 0,
    toast.vacuum_truncate = off
);

-- The claim: the oldest pending rows of a shard, in order, without visiting parked ones.
CREATE INDEX IF NOT EXISTS outbox_pending ON outbox (shard, id) WHERE parked_at IS NULL;

-- Operators list parked rows; a relay told to block the keys of parked rows looks them up here. By a
-- hash: a key of version 1 may be too long for an index, and such a row could never be parked.
CREATE INDEX IF NOT EXISTS outbox_parked
    ON outbox (shard, hashtextextended(key, 0), id) WHERE parked_at IS NOT NULL;

-- What is wrong with a row, told without quoting it. Null: nothing.
CREATE OR REPLACE FUNCTION outbox_fault(
    key text, payload text, metadata text, headers json, place text
) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- A service of version 1 marks its replays by a header of its own.
    beside_version_1 boolean := false;
    header record;
    -- JSON may name what is no character: NUL, and half of a surrogate pair. Whole pairs are fine,
    -- and so is the name of one behind a backslash that is itself escaped.
    texts  text := regexp_replace(replace(concat(payload, headers, metadata), E'\\\\', ''),
                                  E'\\\\u[dD][89abAB]..\\\\u[dD][c-fC-F]', '', 'g');
BEGIN
    IF texts ~ E'\\\\u([dD][89a-fA-F]|0000)' THEN
        RETURN 'payload, headers or metadata: NUL, or half of a surrogate pair, is no character; '
               'leave it out';
    ELSIF octet_length(key) > 1024 THEN
        RETURN format('key: it has %s bytes, and it may have 1024; use an id or a hash',
                      octet_length(key));
    ELSIF json_typeof(headers) IS DISTINCT FROM 'object' THEN
        RETURN NULL;
    END IF;
    IF strpos(headers::text, '"replay"') > 0 THEN
        EXECUTE format('SELECT oldest_relay = 1 FROM %I.outbox_state', place)
           INTO beside_version_1;
    END IF;
    FOR header IN SELECT h.key AS name, json_typeof(h.value) AS type FROM json_each(headers) AS h
    LOOP
        IF header.name = '' THEN
            RETURN 'headers: a name is empty; give each header a name';
        ELSIF header.type <> 'string' THEN
            RETURN format('headers: the value of %L is no text; write it as one', header.name);
        ELSIF header.name IN ('id', 'seq') OR header.name = 'replay' AND NOT beside_version_1 THEN
            RETURN format('headers: %L is written by the relay; choose another name, or for a '
                          'replay set the column replayed', header.name);
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

-- What consumers could not read, and keys of any length, are refused to the writer, in whatever
-- language it is written. A trigger on INSERT, not CHECKs: those would be asked again when
-- a relay parks a row that is older than the rule, and such a row could neither go out nor be parked.
-- Nor does this error quote the row, payload included, as that of a CHECK does. No writer can park a
-- row: one that comes parked is restored, and may be older than the rule.
--
-- A backslash stands in E'' alone: whoever has turned standard_conforming_strings off reads another
-- text in '', and no INSERT of his would succeed.
--
-- Every statement of every writer pays for it: a WHEN with the same conditions, or a SET of the
-- search_path, takes 13 to 26 microseconds of each, and this 3. So all names here are qualified.
CREATE OR REPLACE FUNCTION outbox_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault pg_catalog.text;
BEGIN
    -- The usual headers: plain names and texts, of which the relay writes none itself.
    IF NEW.parked_at IS NULL AND (
        pg_catalog.strpos(NEW.payload::pg_catalog.text, E'\\u') OPERATOR(pg_catalog.>) 0
        OR pg_catalog.strpos(NEW.metadata::pg_catalog.text, E'\\u') OPERATOR(pg_catalog.>) 0
        OR pg_catalog.octet_length(NEW.key) OPERATOR(pg_catalog.>) 1024
        OR NEW.headers::pg_catalog.text OPERATOR(pg_catalog.!~)
               E'^\\{("[A-Za-z0-9_-]+" *: *"[^"\\\\]*" *(, *|\\}$))+$'
        OR NEW.headers::pg_catalog.text OPERATOR(pg_catalog.~) '"(id|seq|replay)"'
    ) THEN
        EXECUTE pg_catalog.format('SELECT %I.outbox_fault($1, $2, $3, $4, $5)', TG_TABLE_SCHEMA)
           INTO fault
          USING NEW.key, NEW.payload::pg_catalog.text, NEW.metadata::pg_catalog.text, NEW.headers,
                TG_TABLE_SCHEMA::pg_catalog.text;
        IF fault IS NOT NULL THEN
            RAISE check_violation USING MESSAGE = fault, TABLE = 'outbox';
        END IF;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER outbox_refused BEFORE INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION outbox_refuse();

-- A requeued row keeps its id and so comes back below the relays' low watermarks. Once a statement, or many
-- rows would update that one row as many times.
CREATE OR REPLACE FUNCTION outbox_count_requeue() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT
                 FROM was
                 JOIN is_now ON is_now.id = was.id
                WHERE was.parked_at IS NOT NULL
                  AND is_now.parked_at IS NULL)
    THEN
        UPDATE outbox_state SET requeues = requeues + 1;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER outbox_requeued AFTER UPDATE ON outbox
    REFERENCING OLD TABLE AS was NEW TABLE AS is_now
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_count_requeue();

-- ---------------------------------------------------------------------------------------------
-- Shards: the locks of the relays
-- ---------------------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS outbox_shard (
    -- One row a shard, locked FOR UPDATE by the relay that works on it. The row's xmax tells who
    -- holds it, and after that transaction whether it ended cleanly.
    shard           smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 63),
    -- Set by operators: relays leave the shard alone, its rows wait.
    paused_at       timestamptz,
    -- A relay died on this shard: up to this outbox id it is taken in small, committed steps, so
    -- that a row which kills the process is found. See docs/decisions.
    isolated_until bigint,
    -- Rows that Kafka has and somebody's open transaction keeps, event ids by id, at most a thousand: written
    -- with the lease that published them, so that whichever relay comes next sends no copy.
    unsettled       jsonb
) WITH (fillfactor = 50);

INSERT INTO outbox_shard (shard) SELECT generate_series(0, 63) ON CONFLICT DO NOTHING;

-- Locked by relays together with the shard of the same number, and by nobody else: a transaction that
-- locked both and rolled back was a relay that died. Without it, whoever looks at a shard FOR UPDATE
-- would seem to have died.
CREATE TABLE IF NOT EXISTS outbox_lease (
    shard smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 63)
);

INSERT INTO outbox_lease (shard) SELECT generate_series(0, 63) ON CONFLICT DO NOTHING;

-- Small leases, in two messages: the first claims shards and reads their oldest rows, the second
-- deletes what was delivered. In functions, because PostgreSQL keeps their plans for the connection,
-- whatever pooler is between: to plan such statements takes longer than to run them. What they say
-- is said, with its reasons, in relay/daemon/postgres/queries; a relay that does not find them, or
-- needs more than they do, uses those.

-- How far ids were drawn, and of which table, sequence and server that is said. A relay that was done
-- with every row has new work only if this changes.
CREATE OR REPLACE FUNCTION outbox_drawn(OUT drawn bigint, OUT epoch text)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - 1 END,
           concat_ws(' ',
               t.requeues,
               extract(epoch FROM pg_postmaster_start_time()),
               pg_is_in_recovery(),
               'outbox'::regclass::oid,
               pg_relation_filenode('outbox'),
               pg_relation_filenode('outbox_id_seq'))
      INTO drawn, epoch
      FROM outbox_id_seq AS s, outbox_state AS t;
END
$$;

-- First the shards, with no id, and then the rows, with nothing else of their shards. Volatile: each
-- statement in it has a snapshot of its own, and the rows are read as they are once the locks are had.
-- A statement that sees none of the writers `beside` starts at the positions in `resume`.
CREATE OR REPLACE FUNCTION outbox_claim(
    timeout_ms     text,
    application    text,
    known_epoch    text,
    known_drawn    bigint,
    watermarks     bigint[],
    last_shard     integer,
    shards_max     integer,
    rows_max       integer,
    inline_bytes   integer,
    readable_bytes bigint,
    resume         bigint[] DEFAULT NULL,
    beside         xid8[] DEFAULT NULL
) RETURNS TABLE (
    shard smallint, isolated_until bigint, died boolean, same_epoch boolean, holder bigint,
    transaction bigint, unsettled jsonb, drawn bigint,
    id bigint, event_id text, topic text, key text, name text, payload text, metadata text,
    headers text, created_ms bigint, size integer
) LANGUAGE plpgsql VOLATILE ROWS 32 AS $$
#variable_conflict use_column
DECLARE
    lowest  CONSTANT bigint := -9223372036854775808;
    highest CONSTANT bigint := 9223372036854775807;
    now     record;
    claim   record;
    claimed smallint[] := '{}';
    after   bigint[] := '{}';
    resumed bigint[] := '{}';
    isolated boolean := false;
BEGIN
    -- For this transaction, and before anything is planned. Its statement_timeout is set already.
    PERFORM set_config('idle_in_transaction_session_timeout', timeout_ms, true),
            set_config('tcp_user_timeout', timeout_ms, true),
            set_config('enable_seqscan', 'off', true),
            set_config('enable_bitmapscan', 'off', true),
            set_config('jit', 'off', true),
            set_config('row_security', 'off', true),
            CASE
                WHEN current_setting('transaction_timeout', true) IS NOT NULL
                THEN set_config('transaction_timeout', '0', true)
            END,
            set_config('plan_cache_mode', 'force_generic_plan', true),
            set_config('application_name', application, true);
    now := outbox_drawn();
    same_epoch := now.epoch = known_epoch AND now.drawn >= known_drawn;
    drawn := now.drawn;
    IF NOT same_epoch THEN
        watermarks := array_fill(lowest, ARRAY[64]);
        beside := NULL;
    END IF;
    FOR claim IN
        SELECT s.shard, s.isolated_until, s.unsettled, s.xmax::text::bigint AS holder,
               s.xmax = l.xmax AS by_a_relay
          FROM outbox_shard AS s
          JOIN outbox_lease AS l ON l.shard = s.shard
         WHERE s.paused_at IS NULL
           AND (
                   SELECT o.id
                     FROM outbox AS o
                    WHERE o.parked_at IS NULL
                      AND (o.shard, o.id) > (s.shard, CASE
                              WHEN beside IS NOT NULL AND (SELECT NOT EXISTS (
                                       SELECT
                                         FROM unnest(beside) AS writer (xid)
                                        WHERE pg_visible_in_snapshot(
                                                  writer.xid, pg_current_snapshot())))
                              THEN resume[s.shard + 1]
                              ELSE watermarks[s.shard + 1]
                          END)
                      AND (o.shard, o.id) <= (s.shard, highest)
                    ORDER BY o.shard, o.id
                    LIMIT 1
               ) IS NOT NULL
         ORDER BY (s.shard - last_shard + 63) % 64
         LIMIT shards_max
           FOR UPDATE OF s, l SKIP LOCKED
    LOOP
        shard := claim.shard;
        isolated_until := claim.isolated_until;
        unsettled := claim.unsettled;
        holder := claim.holder;
        transaction := pg_current_xact_id()::xid::text::bigint;
        died := claim.holder <> 0 AND claim.by_a_relay AND coalesce(pg_xact_status((
            claim.holder + ((pg_current_xact_id()::text::bigint - claim.holder) & -4294967296)
        )::text::xid8) = 'aborted', false);
        isolated := isolated OR died OR claim.isolated_until IS NOT NULL OR unsettled IS NOT NULL;
        claimed := claimed || claim.shard;
        after := after || watermarks[claim.shard + 1];
        IF beside IS NOT NULL THEN
            resumed := resumed || resume[claim.shard + 1];
        END IF;
        RETURN NEXT;
    END LOOP;
    -- Crash isolation decides what is read, if anything, and rows that were published are not.
    IF isolated OR cardinality(claimed) = 0 THEN
        RETURN;
    END IF;
    rows_max := greatest(1, rows_max / cardinality(claimed));
    RETURN QUERY
    SELECT o.shard, NULL::bigint, NULL::boolean, NULL::boolean, NULL::bigint, NULL::bigint, NULL::jsonb,
           NULL::bigint, o.id, o.event_id::text, o.topic,
           CASE WHEN o.size <= inline_bytes OR octet_length(o.key) <= 1024 THEN o.key END,
           CASE WHEN o.size <= inline_bytes THEN o.name ELSE left(o.name, 255) END,
           CASE WHEN o.size <= inline_bytes THEN o.payload::text END,
           CASE WHEN o.size <= inline_bytes THEN o.metadata::text END,
           CASE
               WHEN o.size > inline_bytes
               THEN NULL
               WHEN o.replayed
               THEN regexp_replace(
                   '{"replay": "true"' || coalesce(
                       regexp_replace(o.headers::text, E'^\\s*\\{\\s*', ', '), '}'), E', \\}\\s*$', '}')
               ELSE o.headers::text
           END,
           (date_part('epoch', CASE
               WHEN isfinite(o.created_at) THEN o.created_at
               ELSE statement_timestamp()
           END) * 1000)::bigint,
           o.size
      FROM unnest(claimed, after, resumed) AS c (shard, after, resume)
     CROSS JOIN LATERAL (
               SELECT *,
                      CASE
                          WHEN pg_column_compression(o.payload) IS NULL
                            OR pg_column_size(o.payload) > readable_bytes
                          THEN pg_column_size(o.payload)
                          ELSE octet_length(o.payload::text)
                      END
                          + octet_length(o.name)
                          + CASE
                                WHEN pg_column_compression(o.metadata) IS NULL
                                THEN coalesce(pg_column_size(o.metadata), 0)
                                ELSE octet_length(o.metadata::text)
                            END
                          + CASE
                                WHEN pg_column_compression(o.headers) IS NULL
                                THEN coalesce(pg_column_size(o.headers), 0)
                                ELSE octet_length(o.headers::text)
                            END
                          + coalesce(octet_length(o.key), 0) AS size
                 FROM outbox AS o
                WHERE o.parked_at IS NULL
                  AND (o.shard, o.id) > (c.shard, CASE
                          WHEN beside IS NOT NULL AND (SELECT NOT EXISTS (
                                   SELECT
                                     FROM unnest(beside) AS writer (xid)
                                    WHERE pg_visible_in_snapshot(
                                              writer.xid, pg_current_snapshot())))
                          THEN c.resume
                          ELSE c.after
                      END)
                  AND (o.shard, o.id) <= (c.shard, highest)
                ORDER BY o.shard, o.id
                LIMIT rows_max
           ) AS o;
END
$$;

-- Deletes rows that were delivered; returns those that somebody else has locked, which stay.
CREATE OR REPLACE FUNCTION outbox_settle(delivered bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    deleted bigint;
BEGIN
    -- Whoever has locked a row left an xmax, and so did a lease that died.
    DELETE FROM outbox AS o WHERE o.id = ANY (delivered) AND o.xmax = 0;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF deleted = cardinality(delivered) THEN
        RETURN;
    END IF;
    DELETE FROM outbox AS o
     WHERE o.id = ANY (ARRAY(
               SELECT f.id FROM outbox AS f WHERE f.id = ANY (delivered) FOR UPDATE SKIP LOCKED
           ));
    -- For whichever relay has these shards next.
    UPDATE outbox_shard AS s
       SET unsettled = l.rows
      FROM (SELECT o.shard, jsonb_object_agg(o.id, o.event_id) AS rows
              FROM outbox AS o
             WHERE o.id = ANY (delivered)
             GROUP BY o.shard) AS l
     WHERE s.shard = l.shard;
    RETURN QUERY SELECT o.id FROM outbox AS o WHERE o.id = ANY (delivered) AND o.parked_at IS NULL;
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Doorbell: wakes relays that sleep
-- ---------------------------------------------------------------------------------------------

-- Above 0: milliseconds since 1970 up to which writers ring; relays put it off while they sleep, so the
-- bell of one that died ends by itself. Below 0: up to then a relay is under load, and nobody rings. A
-- sequence is changed in place and outside of transactions: no dead rows, no old snapshots.
CREATE SEQUENCE IF NOT EXISTS outbox_bell AS bigint
    MINVALUE -9223372036854775808 START 0 CACHE 1 OWNED BY outbox_state.version;

-- Runs as the owner, so that no missing grant makes an INSERT fail. Where transactions can be prepared
-- it never rings, since one that rings cannot be.
CREATE OR REPLACE FUNCTION outbox_ring() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF pg_sequence_last_value('outbox_bell') > 1000 * date_part('epoch', clock_timestamp())
       AND current_setting('max_prepared_transactions') = '0'
    THEN
        PERFORM pg_notify('outbox_' || TG_RELID, '');
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER outbox_inserted AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_ring();

-- ---------------------------------------------------------------------------------------------
-- Relays: what each says of itself
-- ---------------------------------------------------------------------------------------------

-- One row a process, rewritten with each sample, so that nobody has to reach into a pod. Those of
-- the dead go after an hour.
CREATE TABLE IF NOT EXISTS outbox_relay (
    -- Of this life: process ids and pod names come again.
    id             uuid PRIMARY KEY,
    -- The host name, which is the pod's name in Kubernetes, and the address that PostgreSQL sees.
    name           text NOT NULL,
    host           text NOT NULL DEFAULT coalesce(host(inet_client_addr()), 'local'),
    pid            integer NOT NULL,
    version        text NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The last sign of life, and when it is dead unless there was another. By the database's clock.
    seen_at        timestamptz NOT NULL,
    alive_until    timestamptz NOT NULL,
    -- When it ended in an orderly way, and whether a lease was still under way then.
    ended_at       timestamptz,
    drain_timed_out boolean NOT NULL DEFAULT false,
    -- What ENABLE_EVENT_STREAMING tells it, and the topic of rows that name none.
    streaming      boolean NOT NULL,
    topic          text NOT NULL,
    -- How it learns of new rows.
    wake_up        text NOT NULL,
    -- Rows so far, and published a second since the last sign of life.
    published      bigint NOT NULL DEFAULT 0,
    parked         bigint NOT NULL DEFAULT 0,
    rate           real NOT NULL DEFAULT 0,
    -- Rows found below its low watermarks so far: there should be none.
    missed         bigint NOT NULL DEFAULT 0,
    -- Shards that it holds at this moment.
    leased_shards  smallint NOT NULL DEFAULT 0,
    -- Arrays of objects: topic, partition, partitions, why, since, next_try_at; and address, text, at.
    holds          jsonb NOT NULL DEFAULT '[]',
    broker_errors  jsonb NOT NULL DEFAULT '[]',
    -- What PostgreSQL refused it last, be it to a worker or the sampler. Null: nothing since.
    fault          text,
    -- Topics that it writes, a hundred at most: topic, published, rate, partitions, max_bytes.
    topics         jsonb NOT NULL DEFAULT '[]'
) WITH (fillfactor = 50);

-- Samples: the last day of the outbox, as consoles draw it. One row a minute, written by whichever
-- relay comes first; older ones go, so that there are never many more than 1,440.
CREATE TABLE IF NOT EXISTS outbox_sample (
    at          timestamptz PRIMARY KEY,
    -- Counted up to the sampler's limit, as for the metrics.
    pending     bigint NOT NULL,
    parked      bigint NOT NULL,
    -- Of the oldest row that waits.
    lag_seconds real NOT NULL,
    -- By all relays that outbox_relay knew at that time. Less than before: one was forgotten.
    published   bigint NOT NULL,
    relays      smallint NOT NULL
);

-- ---------------------------------------------------------------------------------------------
-- Events: what the REST API serves
-- ---------------------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS outbox_event (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The same id as on the stream, so that a reader of both can tell they are one.
    event_id     uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    name         text NOT NULL,
    category     text NOT NULL DEFAULT 'user',
    severity     text NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    message      text NOT NULL,
    -- When it happened, which may be earlier than when it was written. Finite: pages are cut by it.
    event_time   timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (isfinite(event_time)),
    cluster_id   uuid,
    host_id      uuid,
    infra_env_id uuid,
    request_id   text,
    -- The event's own fields, already redacted.
    props        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(props) = 'object'),
    -- What an event of the service's own domain belongs to: the kind, such as order, and the id as
    -- a text, whatever its type. Null where it is one of the three above.
    subject_kind text,
    subject_id   text,
    -- The id is a key on the stream, and must fit into the index.
    CONSTRAINT outbox_event_subject_check CHECK (
        (subject_kind IS NULL) = (subject_id IS NULL)
        AND octet_length(subject_kind) <= 63
        AND octet_length(subject_id) BETWEEN 1 AND 1024)
);

-- Events only grow until they are purged. With the usual share of the table, a fifth, a million would
-- wait for 200,000 more before their statistics are right and counts read the index alone.
ALTER TABLE outbox_event SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);

-- What events are looked for by, each in the order in which they are listed: a page then reads its
-- own rows alone, however many others there are.
CREATE INDEX IF NOT EXISTS outbox_event_by_cluster ON outbox_event (cluster_id, event_time, id);
CREATE INDEX IF NOT EXISTS outbox_event_by_host ON outbox_event (host_id, event_time, id);
CREATE INDEX IF NOT EXISTS outbox_event_by_infra_env ON outbox_event (infra_env_id, event_time, id);
CREATE INDEX IF NOT EXISTS outbox_event_by_subject
    ON outbox_event (subject_kind, subject_id, event_time, id) WHERE subject_kind IS NOT NULL;

-- The last stored event of each name that has a rate limit, for each resource.
CREATE TABLE IF NOT EXISTS outbox_event_limit (
    name     text NOT NULL,
    resource uuid NOT NULL,
    -- When it happened, by its own time. Finite, or no event would be admitted any more.
    last_at  timestamptz NOT NULL CHECK (isfinite(last_at)),
    -- The longest that anybody asked for: from last_at on, so long has the row a say. Retention
    -- knows no setting of the services, and must not remove it earlier.
    pause    interval NOT NULL CHECK (isfinite(pause)),
    PRIMARY KEY (name, resource)
);

-- All events, and the oldest ones, which are purged.
CREATE INDEX IF NOT EXISTS outbox_event_by_time ON outbox_event (event_time, id);

-- The rare ones of all clusters: what is critical, what was measured.
CREATE INDEX IF NOT EXISTS outbox_event_by_severity ON outbox_event (severity, event_time, id);
CREATE INDEX IF NOT EXISTS outbox_event_by_category ON outbox_event (category, event_time, id);

-- Those of a kind, and what one request led to: most come without one. By their beginnings: version 1
-- let in names and requests that are too long for an index, which then could not be built.
CREATE INDEX IF NOT EXISTS outbox_event_by_name ON outbox_event (left(name, 255), event_time, id);
CREATE INDEX IF NOT EXISTS outbox_event_by_request
    ON outbox_event (left(request_id, 255), event_time, id) WHERE request_id IS NOT NULL;

-- A part of a message among all events. Needs the extension pg_trgm, which comes with PostgreSQL;
-- where it is not installed, or may not be, such a search reads the whole table. The extension goes
-- to where others find it too. Of a table that holds rows `relay migrate` makes the index later,
-- without a lock.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        IF has_schema_privilege(to_regnamespace('public'), 'CREATE') THEN
            CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
        ELSE
            CREATE EXTENSION IF NOT EXISTS pg_trgm;
        END IF;
        IF NOT EXISTS (SELECT FROM outbox_event) THEN
            EXECUTE format(
                'CREATE INDEX IF NOT EXISTS outbox_event_by_message '
                'ON outbox_event USING gin (message %s.gin_trgm_ops)',
                (SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_trgm'));
        END IF;
    ELSE
        RAISE WARNING 'index outbox_event_by_message was not created: this server has no pg_trgm';
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'index outbox_event_by_message was not created: the migrating user may not '
                      'create the extension pg_trgm';
END
$$;

-- ---------------------------------------------------------------------------------------------
-- Functions
-- ---------------------------------------------------------------------------------------------

-- Writes one row for services that use plain SQL. Call it after the business row was changed, and
-- so locked: the id is drawn here, and ids must follow the locks to be in commit order.
-- jsonb, so that what is not JSON, or holds a NUL character, is refused here and not by a consumer.
-- Returns the event id, or null while the stream is switched off.
CREATE OR REPLACE FUNCTION outbox_emit(
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

-- The JSON in a text, for triggers that publish single paths of it. What is no JSON is published as
-- null, with a warning: the transaction is the service's, and does not fail for us.
CREATE OR REPLACE FUNCTION outbox_json(value text, column_name text) RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN nullif(value, '')::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        RAISE WARNING 'outbox: a value of % is no JSON, and is published as null', column_name;
        RETURN NULL;
END
$$;

-- Whether an event with a rate limit may be stored: its time is at least *pause* away from that of
-- the last one stored. The row's lock makes transactions that ask the same wait for each other, so
-- that two cannot both be told yes. A clock ahead of ours counts as ours, or one event of it would
-- open the way for all others until then. *own_kind* and *own_id* are the subject that *about* stands
-- for, where it is one. SECURITY DEFINER, since writers may not read the tables.
CREATE OR REPLACE FUNCTION outbox_event_admitted(
    event_name text, about uuid, happened_at timestamptz, pause interval,
    own_kind text DEFAULT NULL, own_id text DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    latest   CONSTANT timestamptz := clock_timestamp();
    happened CONSTANT timestamptz := least(happened_at, latest);
    around   CONSTANT interval := outbox_event_admitted.pause - interval '1 microsecond';
    last_one timestamptz;
BEGIN
    INSERT INTO outbox_event_limit AS l (name, resource, last_at, pause)
        VALUES (event_name, about, happened, outbox_event_admitted.pause)
        ON CONFLICT (name, resource) DO UPDATE
        SET last_at = CASE WHEN l.last_at > latest THEN happened
                           ELSE greatest(l.last_at, happened) END,
            pause = greatest(l.pause, EXCLUDED.pause)
        WHERE l.last_at > latest OR happened NOT BETWEEN l.last_at - around AND l.last_at + around
        RETURNING l.last_at INTO last_one;
    IF last_one = happened THEN
        RETURN true;
    ELSIF last_one > happened THEN
        -- From before the last one: its neighbours then are found among the events themselves.
        -- Subjects by themselves: each query has its indexes, and one for both would have none.
        RETURN NOT EXISTS (
            SELECT FROM outbox_event AS e
             WHERE e.name = event_name
               AND about IN (e.host_id, e.cluster_id, e.infra_env_id)
               AND e.event_time BETWEEN happened - around AND happened + around
        ) AND NOT EXISTS (
            SELECT FROM outbox_event AS e
             WHERE e.name = event_name
               AND e.subject_kind = own_kind
               AND e.subject_id = own_id
               AND e.event_time BETWEEN happened - around AND happened + around);
    END IF;
    UPDATE outbox_event_limit AS l SET pause = outbox_event_admitted.pause
     WHERE l.name = event_name AND l.resource = about AND l.pause < outbox_event_admitted.pause;
    RETURN false;
END
$$;

-- How long until an event of now would be admitted: for clients that were refused. Null where
-- nothing keeps it.
CREATE OR REPLACE FUNCTION outbox_event_delay(event_name text, about uuid, pause interval)
    RETURNS interval LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT l.last_at + outbox_event_delay.pause - clock_timestamp()
      FROM outbox_event_limit AS l
     WHERE l.name = event_name
       AND l.resource = about
$$;

REVOKE EXECUTE ON FUNCTION outbox_event_admitted, outbox_event_delay FROM PUBLIC;

-- Deletes the stored events of a cluster, and the rate limits of the cluster and of its hosts; returns
-- the number of events. For the transaction that deletes the cluster, and in batches of *at_most*.
-- What is in the outbox is still published. A limit that a service asks about at this moment is left:
-- waiting for several could be a deadlock. SECURITY DEFINER, since writers may delete nothing otherwise.
CREATE OR REPLACE FUNCTION outbox_purge_cluster(cluster uuid, at_most integer DEFAULT NULL)
    RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH deleted AS (
        DELETE FROM outbox_event
         WHERE id IN (SELECT e.id
                        FROM outbox_event AS e
                       WHERE e.cluster_id = cluster
                       ORDER BY e.event_time, e.id
                       LIMIT at_most)
        RETURNING name, host_id
    ), idle AS MATERIALIZED (
        SELECT l.name, l.resource
          FROM outbox_event_limit AS l
          JOIN (SELECT name, coalesce(host_id, cluster) FROM deleted
                UNION SELECT name, cluster FROM deleted) AS d (name, resource)
            ON d.name = l.name AND d.resource = l.resource
           FOR UPDATE OF l SKIP LOCKED
    ), forgotten AS (
        DELETE FROM outbox_event_limit AS l
         USING idle
         WHERE l.name = idle.name AND l.resource = idle.resource
    )
    SELECT count(*) FROM deleted
$$;

REVOKE EXECUTE ON FUNCTION outbox_purge_cluster FROM PUBLIC;

-- The partition of a key: murmur2 as Kafka's Java producer has it, or fnv1a. Relays use it only to
-- look past the rows of a partition that cannot be written.
CREATE OR REPLACE FUNCTION outbox_partition(partitioner text, key text, partitions integer)
    RETURNS integer LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    mask  CONSTANT bigint := 4294967295;
    -- SQL_ASCII knows no characters: what is there is taken as it is, and never refused.
    bytes CONSTANT bytea := convert_to(key, CASE getdatabaseencoding()
                                                WHEN 'SQL_ASCII' THEN 'SQL_ASCII'
                                                ELSE 'UTF8'
                                            END);
    len   CONSTANT integer := octet_length(bytes);
    h     bigint;
    k     bigint;
    i     integer := 0;
BEGIN
    IF partitioner = 'fnv1a' THEN
        h := 2166136261;
        FOR i IN 0 .. len - 1 LOOP
            h := ((h # get_byte(bytes, i)) * 16777619) & mask;
        END LOOP;
        RETURN (h & 2147483647) % partitions;
    END IF;
    h := (2538058380 # len) & mask;
    WHILE i + 4 <= len LOOP
        k := get_byte(bytes, i) | (get_byte(bytes, i + 1) << 8) | (get_byte(bytes, i + 2) << 16)
             | (get_byte(bytes, i + 3)::bigint << 24);
        k := (k * 1540483477) & mask;
        k := ((k # (k >> 24)) * 1540483477) & mask;
        h := ((h * 1540483477) & mask) # k;
        i := i + 4;
    END LOOP;
    IF len - i = 3 THEN
        h := h # (get_byte(bytes, i + 2) << 16);
    END IF;
    IF len - i >= 2 THEN
        h := h # (get_byte(bytes, i + 1) << 8);
    END IF;
    IF len - i >= 1 THEN
        h := ((h # get_byte(bytes, i)) * 1540483477) & mask;
    END IF;
    h := ((h # (h >> 13)) * 1540483477) & mask;
    h := h # (h >> 15);
    RETURN (h & 2147483647) % partitions;
END
$$;

-- What operators see of the outbox: everything but the payload.
CREATE OR REPLACE VIEW outbox_overview AS
SELECT id,
       event_id,
       shard,
       topic,
       key,
       name,
       CASE WHEN parked_at IS NULL THEN 'pending' ELSE 'parked' END AS state,
       created_at,
       -- Not the clock: a volatile function would keep every query from using an index.
       statement_timestamp() - created_at AS age,
       -- Bytes of all that a relay reads.
       octet_length(payload::text)
           + octet_length(name)
           + coalesce(octet_length(metadata::text), 0)
           + coalesce(octet_length(headers::text), 0)
           + coalesce(octet_length(key), 0) AS size,
       attempts,
       parked_at,
       last_error
  FROM outbox;

-- ---------------------------------------------------------------------------------------------
-- Operators: what they do goes through functions that keep the reason
-- ---------------------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS outbox_audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Whom nobody can pretend to be ...
    db_user    text NOT NULL DEFAULT session_user,
    -- ... and, where several people share that user, who they say they are.
    person     text,
    action     text NOT NULL CHECK (
                   action IN ('requeue', 'discard', 'restore', 'redirect', 'pause', 'resume',
                              'end')
               ),
    reason     text NOT NULL CHECK (reason ~ E'\\S'),
    -- Null where it was about a session.
    shard      smallint,
    -- The row, where it was about one: enough to tell which, after it is gone.
    outbox_id  bigint,
    event_id   uuid,
    topic      text,
    key        text,
    name       text,
    last_error text,
    -- Of a row that was discarded: what is restored must be what was there.
    digest     bytea
);

-- What was done to a row, an event or a key, however long the history is. A hash, because keys of
-- version 1 may be longer than other indexes take.
CREATE INDEX IF NOT EXISTS outbox_audit_by_row ON outbox_audit (outbox_id, id)
    WHERE outbox_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_audit_by_event ON outbox_audit (event_id, id)
    WHERE event_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_audit_by_key ON outbox_audit USING hash (key);
-- Who paused a shard, and why.
CREATE INDEX IF NOT EXISTS outbox_audit_by_shard ON outbox_audit (shard, id)
    WHERE outbox_id IS NULL;

-- The shard of a key, which is what a pause takes. The same expression as the column's.
CREATE OR REPLACE FUNCTION outbox_shard_of(key text) RETURNS smallint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (hashtextextended(key, 0) & 63)::smallint
$$;

-- What a row says, in short; attempts and errors are no part of it.
CREATE OR REPLACE FUNCTION outbox_digest(
    event_id uuid, topic text, key text, name text, payload text, metadata text, headers text,
    replayed boolean
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(convert_to(
        ROW(event_id, topic, key, name, payload, metadata, headers, replayed)::text,
        getdatabaseencoding()))
$$;

-- These functions run as the owner, so that nothing happens without its line in the audit, and
-- one at a time, so that a discard in a paused shard is not overtaken by its resume.

-- Parked rows may go out again. They keep their ids: an old snapshot stays older than a new one.
-- States of consumers who cannot tell are left parked.
CREATE OR REPLACE FUNCTION outbox_requeue(ids bigint[], reason text, person text DEFAULT NULL)
    RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(7164150313);
    WITH parked AS (
        SELECT o.id, o.last_error FROM outbox AS o
         WHERE o.id = ANY (ids) AND o.parked_at IS NOT NULL
           AND o.name <> ALL ((SELECT states FROM outbox_state)::text[])
           FOR UPDATE
    ), requeued AS (
        UPDATE outbox AS o SET parked_at = NULL, attempts = 0, last_error = NULL
          FROM parked
         WHERE o.id = parked.id
        RETURNING o.id, o.event_id, o.shard, o.topic, o.key, o.name, parked.last_error
    ), noted AS (
        INSERT INTO outbox_audit (person, action, reason, shard, outbox_id, event_id, topic, key,
                                  name, last_error)
        SELECT outbox_requeue.person, 'requeue', outbox_requeue.reason, r.shard, r.id, r.event_id,
               r.topic, r.key, r.name, r.last_error
          FROM requeued AS r
    )
    SELECT id FROM requeued ORDER BY id
$$;

-- Rows are deleted unpublished: parked ones, and any of a paused shard. A pending row of another
-- shard is left, because a relay may be publishing it.
CREATE OR REPLACE FUNCTION outbox_discard(ids bigint[], reason text, person text DEFAULT NULL)
    RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(7164150313);
    WITH discarded AS (
        DELETE FROM outbox AS o
         USING outbox_shard AS s
         WHERE o.id = ANY (ids)
           AND s.shard = o.shard
           AND (o.parked_at IS NOT NULL OR s.paused_at IS NOT NULL)
        RETURNING o.id, o.event_id, o.shard, o.topic, o.key, o.name, o.last_error,
                  outbox_digest(o.event_id, o.topic, o.key, o.name, o.payload::text,
                                o.metadata::text, o.headers::text, o.replayed) AS digest
    ), noted AS (
        INSERT INTO outbox_audit (person, action, reason, shard, outbox_id, event_id, topic, key,
                                  name, last_error, digest)
        SELECT outbox_discard.person, 'discard', outbox_discard.reason, d.shard, d.id, d.event_id,
               d.topic, d.key, d.name, d.last_error, d.digest
          FROM discarded AS d
    )
    SELECT id FROM discarded ORDER BY id
$$;

-- Rows that were discarded last, and saved before, come back as they were, parked where they were
-- parked; all others are left out: a row goes back once, and none says what it did not say before.
-- They keep their ids, below the low watermarks. A state that waited comes back parked where
-- consumers cannot tell that it is old.
CREATE OR REPLACE FUNCTION outbox_restore(rows json, reason text, person text DEFAULT NULL)
    RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(7164150313);
    UPDATE outbox_state SET requeues = requeues + 1;
    WITH given AS MATERIALIZED (
        SELECT *
          FROM json_to_recordset(rows) AS r (
                   id bigint, event_id uuid, topic text, key text, name text, payload text,
                   metadata text, headers text, created_at timestamptz, attempts smallint,
                   parked_at timestamptz, last_error text, replayed boolean)
    ), last AS MATERIALIZED (
        SELECT DISTINCT ON (a.outbox_id) a.outbox_id, a.action, a.digest
          FROM outbox_audit AS a
         WHERE a.outbox_id IN (SELECT g.id FROM given AS g)
         ORDER BY a.outbox_id, a.id DESC
    ), restored AS (
        INSERT INTO outbox AS o (id, event_id, topic, key, name, payload, metadata, headers,
                                 created_at, attempts, parked_at, last_error, replayed)
        OVERRIDING SYSTEM VALUE
        SELECT g.id, g.event_id, g.topic, g.key, g.name, g.payload::json, g.metadata::json,
               g.headers::json, g.created_at, g.attempts,
               coalesce(g.parked_at, CASE WHEN s.name IS NOT NULL THEN clock_timestamp() END),
               coalesce(g.last_error, CASE WHEN s.name IS NOT NULL THEN
                   'restored, and a newer state may have gone out: discard it, and replay' END),
               g.replayed
          FROM given AS g
          JOIN last AS l ON l.outbox_id = g.id AND l.action = 'discard'
           AND l.digest = outbox_digest(g.event_id, g.topic, g.key, g.name, g.payload, g.metadata,
                                        g.headers, g.replayed)
          LEFT JOIN (SELECT unnest(states) FROM outbox_state) AS s (name)
            ON s.name = g.name AND g.parked_at IS NULL
            ON CONFLICT (id) DO NOTHING
        RETURNING o.id, o.event_id, o.shard, o.topic, o.key, o.name, o.last_error
    ), noted AS (
        INSERT INTO outbox_audit (person, action, reason, shard, outbox_id, event_id, topic, key,
                                  name, last_error)
        SELECT outbox_restore.person, 'restore', outbox_restore.reason, r.shard, r.id, r.event_id,
               r.topic, r.key, r.name, r.last_error
          FROM restored AS r
    )
    SELECT id FROM restored ORDER BY id
$$;

-- Rows go to another topic, pending ones and parked ones alike: a misspelt name is no loss. Waits for
-- the relays that work on their shards, so that none publishes a row as it was. Low watermarks may
-- have passed them while their topic was on hold, so everybody looks from the beginning again.
CREATE OR REPLACE FUNCTION outbox_redirect(
    ids bigint[], to_topic text, reason text, person text DEFAULT NULL
) RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(7164150313);
    SELECT FROM outbox_shard AS s
     WHERE s.shard IN (SELECT o.shard FROM outbox AS o WHERE o.id = ANY (ids))
     ORDER BY s.shard
       FOR UPDATE;
    UPDATE outbox_state SET requeues = requeues + 1;
    WITH misdirected AS (
        SELECT o.id, o.topic FROM outbox AS o
         WHERE o.id = ANY (ids)
           FOR UPDATE
    ), redirected AS (
        UPDATE outbox AS o SET topic = to_topic
          FROM misdirected AS m
         WHERE o.id = m.id
           AND o.topic IS DISTINCT FROM to_topic
        RETURNING o.id, o.event_id, o.shard, m.topic, o.key, o.name, o.last_error
    ), noted AS (
        INSERT INTO outbox_audit (person, action, reason, shard, outbox_id, event_id, topic, key,
                                  name, last_error)
        SELECT outbox_redirect.person, 'redirect',
               -- A reason that is blank stays so, and is refused.
               CASE
                   WHEN outbox_redirect.reason ~ E'\\S'
                   THEN outbox_redirect.reason
                        || format(' [to topic %s]', coalesce(to_topic, '(default)'))
                   ELSE ''
               END,
               r.shard, r.id, r.event_id, r.topic, r.key, r.name, r.last_error
          FROM redirected AS r
    )
    SELECT id FROM redirected ORDER BY id
$$;

-- Waits for the relay that works on a shard; when it returns, nobody does.
CREATE OR REPLACE FUNCTION outbox_pause(shards smallint[], reason text, person text DEFAULT NULL)
    RETURNS SETOF smallint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(7164150313);
    WITH paused AS (
        UPDATE outbox_shard AS s SET paused_at = clock_timestamp()
         WHERE s.shard = ANY (shards) AND s.paused_at IS NULL
        RETURNING s.shard
    ), noted AS (
        INSERT INTO outbox_audit (person, action, reason, shard)
        SELECT outbox_pause.person, 'pause', outbox_pause.reason, p.shard FROM paused AS p
    )
    SELECT shard FROM paused ORDER BY shard
$$;

CREATE OR REPLACE FUNCTION outbox_resume(shards smallint[], reason text, person text DEFAULT NULL)
    RETURNS SETOF smallint LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(7164150313);
    WITH resumed AS (
        UPDATE outbox_shard AS s SET paused_at = NULL
         WHERE s.shard = ANY (shards) AND s.paused_at IS NOT NULL
        RETURNING s.shard
    ), noted AS (
        INSERT INTO outbox_audit (person, action, reason, shard)
        SELECT outbox_resume.person, 'resume', outbox_resume.reason, r.shard FROM resumed AS r
    )
    SELECT shard FROM resumed ORDER BY shard
$$;

-- Notes that a session is ended, in the transaction that ends it: with the rights of whoever does so,
-- since the owner of these tables may not.
CREATE OR REPLACE FUNCTION outbox_note_end(what text, reason text, person text DEFAULT NULL)
    RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    INSERT INTO outbox_audit (person, action, reason)
    VALUES (outbox_note_end.person, 'end',
            -- A reason that is blank stays so, and is refused.
            CASE WHEN outbox_note_end.reason ~ E'\\S'
                 THEN format('%s [%s]', outbox_note_end.reason, what) ELSE '' END)
$$;

REVOKE EXECUTE ON FUNCTION outbox_requeue, outbox_discard, outbox_restore, outbox_redirect,
    outbox_pause, outbox_resume, outbox_note_end FROM PUBLIC;

-- ---------------------------------------------------------------------------------------------
-- Roles: group roles without login, to be granted to the users of a deployment
-- ---------------------------------------------------------------------------------------------

-- Roles belong to the whole server: they may exist already, another database may create them at
-- this moment, and whoever migrates may not be allowed to.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['outbox_writer', 'outbox_relay', 'outbox_reader', 'outbox_operator',
                               'outbox_payload_reader', 'outbox_api', 'outbox_purger']
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE WARNING 'role % was not created: the migrating user lacks CREATEROLE', role;
        END;
    END LOOP;
END
$$;

DO $$
DECLARE
    permission text[];
BEGIN
    -- What a right on the whole table would allow, those by column would not take away.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outbox_writer') THEN
        REVOKE INSERT ON outbox, outbox_event FROM outbox_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'outbox_api') THEN
        REVOKE INSERT ON outbox, outbox_event FROM outbox_api;
    END IF;
    FOREACH permission SLICE 1 IN ARRAY ARRAY[
        -- Writers insert and see nothing: no RETURNING, no ON CONFLICT on a column. By column: a
        -- time or a count that a writer chose could stop a relay, or keep a published row.
        ['outbox_writer', 'INSERT (event_id, topic, key, name, payload, metadata, headers, '
                          'replayed) ON outbox'],
        ['outbox_writer', 'INSERT (event_id, name, category, severity, message, event_time, '
                          'cluster_id, host_id, infra_env_id, request_id, props, subject_kind, '
                          'subject_id) ON outbox_event'],
        ['outbox_writer', 'SELECT ON outbox_state'],
        ['outbox_writer', 'EXECUTE ON FUNCTION outbox_event_admitted, outbox_purge_cluster'],
        -- Relays never change what a row says. FOR UPDATE on a shard needs UPDATE.
        ['outbox_relay', 'SELECT, DELETE ON outbox'],
        ['outbox_relay', 'UPDATE (attempts, parked_at, last_error) ON outbox'],
        ['outbox_relay', 'SELECT, UPDATE ON outbox_shard, outbox_lease'],
        ['outbox_relay', 'SELECT, UPDATE (streaming, streaming_by, streaming_at, states) '
                         'ON outbox_state'],
        ['outbox_relay', 'SELECT, INSERT, UPDATE, DELETE ON outbox_relay'],
        ['outbox_relay', 'SELECT, INSERT, DELETE ON outbox_sample'],
        ['outbox_relay', 'SELECT ON SEQUENCE outbox_id_seq'],
        ['outbox_relay', 'SELECT, UPDATE ON SEQUENCE outbox_bell'],
        ['outbox_relay', 'SELECT ON outbox_overview, outbox_migration, outbox_audit'],
        ['outbox_reader', 'SELECT ON outbox_overview, outbox_shard, outbox_state, outbox_audit, '
                          'outbox_migration, outbox_relay, outbox_sample'],
        -- Operators change nothing but through the functions, and so never without a reason.
        ['outbox_operator', 'SELECT ON outbox_overview, outbox_shard, outbox_state, outbox_audit, '
                            'outbox_migration, outbox_relay, outbox_sample'],
        ['outbox_operator', 'EXECUTE ON FUNCTION outbox_requeue, outbox_discard, outbox_restore, '
                            'outbox_redirect, outbox_pause, outbox_resume, outbox_note_end'],
        -- Payloads are about customers: for the few who may see those, on top of another role.
        ['outbox_payload_reader', 'SELECT (id, name, created_at, payload, metadata, headers, '
                                  'replayed) ON outbox'],
        ['outbox_payload_reader', 'SELECT ON outbox_event, outbox_state'],
        -- The REST API serves events, and adds some as a writer does.
        ['outbox_api', 'SELECT ON outbox_event'],
        ['outbox_api', 'INSERT (event_id, name, category, severity, message, event_time, '
                       'cluster_id, host_id, infra_env_id, request_id, props, subject_kind, '
                       'subject_id) ON outbox_event'],
        ['outbox_api', 'INSERT (event_id, topic, key, name, payload, metadata, headers, replayed) '
                       'ON outbox'],
        ['outbox_api', 'SELECT ON outbox_state'],
        ['outbox_api', 'EXECUTE ON FUNCTION outbox_event_admitted, outbox_event_delay'],
        -- Retention removes what is old, and reads no event.
        ['outbox_purger', 'SELECT (id, event_time, cluster_id), DELETE ON outbox_event'],
        ['outbox_purger', 'EXECUTE ON FUNCTION outbox_purge_cluster'],
        -- FOR UPDATE needs UPDATE.
        ['outbox_purger', 'SELECT, DELETE, UPDATE (last_at) ON outbox_event_limit'],
        ['outbox_purger', 'SELECT ON outbox_state']
    ]
    LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = permission[1]) THEN
            EXECUTE format('GRANT %s TO %I', permission[2], permission[1]);
            IF NOT has_schema_privilege(permission[1], current_schema(), 'USAGE') THEN
                EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), permission[1]);
            END IF;
        END IF;
    END LOOP;
END
$$;

-- Last, so that a version is recorded only with everything that belongs to it. Which relays are too
-- old is changed by the last migration of a version, after which they could not work.
INSERT INTO outbox_state (version, oldest_relay) VALUES (2, 2)
    ON CONFLICT (singleton) DO UPDATE SET version = EXCLUDED.version;
