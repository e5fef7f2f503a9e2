"""The view `catalog`: models for people's own SQL and dashboards, with prices as numbers and one row for what needs a look.

It is made of the tables, and no program of ours reads it: `modelsync db upgrade` makes it again.
"""

NAME = "catalog"

_COLUMNS = (
    *("p.slug AS provider", "m.provider_model_id AS model", "m.model_name AS name", "m.modality AS modality"),
    *("m.context_length AS context_length", "m.max_output_tokens AS max_output_tokens"),
)
_FLAGS = ("streaming", "function_calling", "vision", "reasoning", "structured_output")
_LAST = ("m.released_at AS released_at", "m.expires_at AS expires_at", "m.updated_at AS updated_at", "m.id AS model_number")

_STATUS = """CASE WHEN m.status = 'retired' THEN 'retired' WHEN NOT m.is_active THEN 'hidden' ELSE m.status END AS status"""
"""As whoever routes by it needs it: active, missing (still served, as far as anybody knows), hidden, retired."""


def _select(*, million: str, unit: str, dynamic: str, incomplete: str, held: str, carried: str) -> str:
    """The view's query, from how a database writes its parts. `million` takes a column in USD per token, `held` kinds of holds."""
    prices = [f"{million.format(f'm.pricing_{name}')} AS {name}_usd_per_million" for name in ("prompt", "completion")]
    prices += [f"{unit.format(f'm.pricing_{name}')} AS usd_per_{name}" for name in ("image", "request")]
    review = (
        f"CASE WHEN {held.format(kinds=_kinds('price', 'unit-change'))} THEN 'price'"
        f" WHEN {held.format(kinds=_kinds('shrink', 'scope'))} THEN 'absence'"
        f" WHEN {incomplete} THEN 'incomplete' WHEN {carried} THEN 'carried' ELSE 'none' END AS review"
    )
    flags = [f"m.supports_{name} AS supports_{name}" for name in _FLAGS]
    columns = [*_COLUMNS, *prices, f"{dynamic} AS price_varies", f"{incomplete} AS price_incomplete", _STATUS, review, *flags, *_LAST]
    joins = "FROM models m JOIN providers p ON p.id = m.provider_id"
    upstream = "LEFT JOIN upstream_values u ON u.provider_id = m.provider_id AND u.provider_model_id = m.provider_model_id"
    return f"SELECT {', '.join(columns)} {joins} {upstream}"


def _kinds(*names: str) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _carried(value: str) -> str:
    """Whether a price is believed that the provider does not state any more; `value` is how a document of prices is read."""
    return " OR ".join(
        f"({value.format('believed', name)} IS NOT NULL AND {value.format('stated', name)} IS NULL)" for name in ("prompt", "completion")
    )


_OPEN = "EXISTS (SELECT 1 FROM holds h{more} WHERE h.status = 'open' AND h.provider = p.slug AND h.kind IN ({{kinds}}) AND {has})"

_SQLITE = _select(
    million="round(CAST({} AS REAL) * 1000000, 9)",  # what is left of the sixteenth digit would not be 1.2
    unit="CAST({} AS REAL)",
    dynamic="coalesce(json_extract(m.pricing, '$.dynamic'), 0)",
    incomplete="coalesce(json_array_length(m.pricing, '$.incomplete'), 0) > 0",
    held=_OPEN.format(more=", json_each(h.ids) each", has="each.value = m.provider_model_id"),
    carried=_carried("json_extract(u.{}, '$.prices.{}')"),
)
_LISTED = "CASE WHEN jsonb_typeof(m.pricing -> 'incomplete') = 'array' THEN m.pricing -> 'incomplete' END"
_POSTGRES = _select(
    million="{} * 1000000",
    unit="{}",
    dynamic="coalesce(CAST(m.pricing ->> 'dynamic' AS boolean), false)",
    incomplete=f"coalesce(jsonb_array_length({_LISTED}), 0) > 0",
    held=_OPEN.format(more="", has="h.ids @> to_jsonb(m.provider_model_id)"),
    carried=_carried("u.{} #>> '{{prices,{}}}'"),
)


def statements(dialect: str) -> list[str]:
    """What makes the view; on Postgres in the place of an older one with the same columns, so that rights and views on it stay.

    On Postgres it shows nobody what they may not read themselves (`security_invoker`, from version 15 on), and Supabase's web API, which
    serves every table and view of the schema `public` to whoever has no account, does not get it.
    """
    if dialect == "sqlite":
        return [f"CREATE VIEW {NAME} AS {_SQLITE}"]
    invoker = "CASE WHEN CAST(current_setting('server_version_num') AS int) >= 150000 THEN ' WITH (security_invoker = true)' ELSE '' END"
    made = f"EXECUTE 'CREATE OR REPLACE VIEW {NAME}' || {invoker} || $view$ AS {_POSTGRES}$view$"
    kept = f"IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN REVOKE ALL ON {NAME} FROM anon; END IF"  # noqa: S608 - all ours
    return [f"DO $made$ BEGIN {made}; {kept}; END $made$"]
