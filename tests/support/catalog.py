"""Everything that a database knows of the outbox's objects, to be compared with another's."""

from tests.support.postgres import Database

# Names of the outbox begin with `outbox`; those of version 1 are looked for, too.
_OURS = "n.nspname = current_schema() AND (c.relname ~ '^(outbox|event)')"

_ASPECTS = {
    "relations": f"""
        SELECT c.relname, c.relkind::text, c.reloptions::text,
               (SELECT t.reloptions::text FROM pg_class AS t WHERE t.oid = c.reltoastrelid),
               CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {_OURS}""",
    "columns": f"""
        SELECT c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
               a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid)
          FROM pg_attribute AS a
          JOIN pg_class AS c ON c.oid = a.attrelid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE {_OURS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v')""",
    "constraints": f"""
        -- The names of NOT NULL depend on what else had one at that moment.
        SELECT c.relname, CASE WHEN k.contype <> 'n' THEN k.conname END,
               pg_get_constraintdef(k.oid), k.convalidated
          FROM pg_constraint AS k
          JOIN pg_class AS c ON c.oid = k.conrelid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE {_OURS}""",
    "indexes": f"""
        SELECT c.relname, i.indisvalid, pg_get_indexdef(i.indexrelid)
          FROM pg_index AS i
          JOIN pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE {_OURS}""",
    "sequences": f"""
        SELECT s.sequencename, s.data_type::text, s.start_value, s.increment_by, s.cache_size
          FROM pg_sequences AS s
          JOIN pg_class AS c ON c.relname = s.sequencename
          JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
         WHERE {_OURS}""",
    "triggers": f"""
        SELECT c.relname, t.tgname, t.tgenabled::text, pg_get_triggerdef(t.oid)
          FROM pg_trigger AS t
          JOIN pg_class AS c ON c.oid = t.tgrelid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE {_OURS} AND NOT t.tgisinternal""",
    "functions": """
        SELECT p.proname, pg_get_functiondef(p.oid),
               ARRAY(SELECT acl::text FROM unnest(p.proacl) AS acl ORDER BY 1)
          FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname = current_schema() AND p.proname ~ '^(outbox|event)'""",
    "grants": f"""
        SELECT c.relname, ARRAY(SELECT acl::text FROM unnest(c.relacl) AS acl ORDER BY 1)
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {_OURS}""",
    "grants by column": f"""
        SELECT c.relname, a.attname,
               ARRAY(SELECT acl::text FROM unnest(a.attacl) AS acl ORDER BY 1)
          FROM pg_attribute AS a
          JOIN pg_class AS c ON c.oid = a.attrelid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE {_OURS} AND a.attacl IS NOT NULL AND cardinality(a.attacl) > 0""",
    "migrations": "SELECT number, name FROM outbox_migration",
    "state": "SELECT version, oldest_relay FROM outbox_state",
    "shards": "SELECT count(*) FROM outbox_shard",
}


def described(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return every aspect of the outbox's objects, sorted."""
    with database.connect() as connection:
        return {
            aspect: sorted(connection.execute(query.encode()).fetchall(), key=repr)
            for aspect, query in _ASPECTS.items()
        }
