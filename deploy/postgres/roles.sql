-- Who may do what in a catalog of modelsync: catalog_owner upgrades it, catalog_sync works with it, catalog_read reads prices, nobody else anything.
-- Run it in the catalog's database as a superuser, or as a role that owns the database and may create roles (on Supabase: postgres): before the
-- first `modelsync db upgrade`, and again after each one. What is right already stays as it is. docs/postgres.md tells more.
BEGIN;
SET LOCAL lock_timeout = '30s';

DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['catalog_owner', 'catalog_sync', 'catalog_read'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', role);  -- without a password nobody can log in as it
        END IF;
    END LOOP;
    IF NOT pg_has_role('catalog_owner', 'USAGE') THEN
        EXECUTE format('GRANT catalog_owner TO %I', current_user);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO catalog_owner, catalog_sync, catalog_read', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO catalog_sync', current_database());
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO catalog_owner;
GRANT USAGE ON SCHEMA public TO catalog_sync, catalog_read;

-- Of what the owner makes from now on. On new tables of an upgrade, row level security comes with the next run of this file.
ALTER DEFAULT PRIVILEGES FOR ROLE catalog_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO catalog_sync;
ALTER DEFAULT PRIVILEGES FOR ROLE catalog_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

DO $$
DECLARE
    -- What may be there before this file is run, made by another role.
    ours CONSTANT text[] := ARRAY['catalog', 'providers', 'models', 'sync_runs', 'sync_results', 'model_changes', 'provider_state', 'holds',
        'audit_log', 'pins', 'upstream_values', 'last_prices', 'known_rows', 'pauses', 'answers', 'api_keys', 'workers', 'alembic_version'];
    -- The view and what it shows, and the history: without the keys of the REST API, and without who decided what.
    readable CONSTANT text[] := ARRAY['catalog', 'models', 'providers', 'holds', 'upstream_values', 'model_changes'];
    others text := 'PUBLIC';
    each record;
BEGIN
    -- Supabase's roles of whoever calls its web API.
    SELECT concat_ws(', ', others, string_agg(quote_ident(rolname), ', ')) INTO others
        FROM pg_roles WHERE rolname IN ('anon', 'authenticated');
    EXECUTE 'ALTER DEFAULT PRIVILEGES FOR ROLE catalog_owner IN SCHEMA public REVOKE ALL ON TABLES FROM ' || others;
    EXECUTE 'ALTER DEFAULT PRIVILEGES FOR ROLE catalog_owner IN SCHEMA public REVOKE ALL ON SEQUENCES FROM ' || others;
    EXECUTE 'ALTER DEFAULT PRIVILEGES FOR ROLE catalog_owner IN SCHEMA public REVOKE ALL ON FUNCTIONS FROM ' || others;

    -- Tables of these names are ours only where all of them are.
    FOR each IN SELECT oid::regclass AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY (ours)
        AND relowner <> 'catalog_owner'::regrole AND to_regclass('public.provider_state') IS NOT NULL
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO catalog_owner', each.name);
    END LOOP;
    IF to_regprocedure('public.audit_log_refuse()') IS NOT NULL THEN
        ALTER FUNCTION public.audit_log_refuse() OWNER TO catalog_owner;
        EXECUTE 'REVOKE ALL ON FUNCTION public.audit_log_refuse() FROM ' || others;
    END IF;

    FOR each IN SELECT oid::regclass AS name, relname, relkind FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relowner = 'catalog_owner'::regrole
    LOOP
        IF each.relkind = 'S' THEN
            EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM %s', each.name, others);
        ELSIF each.relname = 'catalog' THEN
            EXECUTE format('REVOKE ALL ON %s FROM %s, catalog_sync, catalog_read', each.name, others);
            EXECUTE format('GRANT SELECT ON %s TO catalog_sync, catalog_read', each.name);
        ELSIF each.relkind IN ('r', 'p') THEN
            EXECUTE format('REVOKE ALL ON %s FROM %s, catalog_sync, catalog_read', each.name, others);
            EXECUTE format('GRANT %s ON %s TO catalog_sync', CASE each.relname
                WHEN 'alembic_version' THEN 'SELECT'
                WHEN 'audit_log' THEN 'SELECT, INSERT'
                ELSE 'SELECT, INSERT, UPDATE, DELETE' END, each.name);
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', each.name);
            EXECUTE format('DROP POLICY IF EXISTS catalog_sync ON %s', each.name);
            EXECUTE format('CREATE POLICY catalog_sync ON %s TO catalog_sync USING (true) WITH CHECK (true)', each.name);
            EXECUTE format('DROP POLICY IF EXISTS catalog_read ON %s', each.name);
            IF each.relname = ANY (readable) THEN
                EXECUTE format('GRANT SELECT ON %s TO catalog_read', each.name);
                EXECUTE format('CREATE POLICY catalog_read ON %s FOR SELECT TO catalog_read USING (true)', each.name);
            END IF;
        END IF;
    END LOOP;
END $$;
COMMIT;
