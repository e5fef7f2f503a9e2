"""The commands, as `--help` shows them, and where each of them is."""

HELP = "Keep a database catalog of AI models up to date with what providers' own APIs say."

EXIT_CODES = "Exit codes: 0 good, 1 failed, 3 some providers failed,\n4 something needs review, 64 wrong usage."

COMMANDS = {
    "sync": (
        "sync:sync",
        "Bring the catalog up to date with the providers.",
        "modelsync sync\nmodelsync sync --providers openrouter groq --dry-run\nmodelsync sync --json --database postgresql://user@host/db",
    ),
    "apply": ("sync:apply", "Do what a saved plan says.", "modelsync sync --dry-run --save plan.json\nmodelsync apply plan.json"),
    "providers": ("show:providers", "List providers: key, price unit, last sync.", "modelsync providers --json"),
    "models": (
        "models:models",
        "Search the catalog.",
        "modelsync models claude sonnet\nmodelsync models --provider groq --max-price 0.5\nmodelsync models --min-context 1000000 --csv\n"
        "modelsync models --provider groq --as-of 2026-11-01",
    ),
    "status": ("status:status", "Show how fresh the catalog is, and what waits.", "modelsync status --json"),
    "runs": ("show:runs", "List past runs, or show one.", "modelsync runs\nmodelsync runs 12"),
    "changes": (
        "history:changes",
        "List what changed, newest first.",
        "modelsync changes --since 24h\nmodelsync changes --provider openrouter --field pricing_prompt --json\n"
        "modelsync changes --since 30d --collapse",
    ),
    "history": ("history:history", "Show everything that happened to one model.", "modelsync history openrouter openai/gpt-5"),
    "explain": (
        "explain:explain",
        "Show how a model's values came to be.",
        "modelsync explain openrouter openai/gpt-5\nmodelsync explain openrouter openai/gpt-5 pricing_prompt --json",
    ),
    "diff": ("history:diff", "Compare the catalog at two times.", "modelsync diff 7d now\nmodelsync diff 2026-11-01 2026-11-22 --json"),
    "replay": (
        "replay:replay",
        "Read a run's kept answers again, and show what they would change.",
        "modelsync replay 12\nmodelsync replay 12 --provider openrouter --json",
    ),
    "held": (
        "holds:held",
        "List what needs review, or what was decided.",
        "modelsync held\nmodelsync held --provider cerebras --ids\nmodelsync held --status rejected",
    ),
    "confirm": ("holds:confirm", "Accept what is held.", 'modelsync confirm 3 --reason "they told us"'),
    "reject": ("holds:reject", "Refuse what is held.", 'modelsync reject --provider cerebras --reason "their API is broken"'),
    "reopen": ("holds:reopen", "Take a decision about a hold back.", 'modelsync reopen 3 --reason "it was their list after all"'),
    "guard": (
        "guards:guard",
        "Set, or show, how much a provider's syncs may believe by themselves.",
        'modelsync guard openrouter --shrink 0.4 --price-factor 20 --reason "they clean up this week"\n'
        'modelsync guard openrouter --default shrink --reason "they are done"\nmodelsync guard openrouter',
    ),
    "pause": ("guards:pause", "Stop every sync until `resume`.", 'modelsync pause --all --reason "we are moving the database"'),
    "resume": (
        "guards:resume",
        "Let syncs run again after `pause`, or one provider after `rollback`.",
        'modelsync resume --reason "it is moved"\nmodelsync resume openrouter --reason "they fixed it"',
    ),
    "pin": (
        "operators:pin",
        "Set fields of a model to values that win over every sync.",
        'modelsync pin openrouter openai/gpt-5 pricing_prompt=1.25/M --reason "our contract" --until 2027-01-01',
    ),
    "unpin": (
        "operators:unpin",
        "Remove pins: the provider's values show at once.",
        'modelsync unpin openrouter openai/gpt-5 --reason "it ended"',
    ),
    "pins": ("operators:pins", "List what is pinned, and the provider's value.", "modelsync pins --moved"),
    "hide": ("operators:hide", "Take a model out of use.", 'modelsync hide groq whisper-large-v3 --reason "not for us"'),
    "keep": (
        "operators:keep",
        "Keep a model active, listed or not.",
        'modelsync keep groq llama-3.3-70b-versatile --reason "they assured us"',
    ),
    "add": (
        "operators:add",
        "Add a model that its provider does not list.",
        'modelsync add openrouter acme/private pricing_prompt=1/M pricing_completion=4/M --reason "preview"',
    ),
    "rollback": (
        "operators:rollback",
        "Bring a provider's models back to an earlier run.",
        'modelsync rollback openrouter --to 12 --reason "their list was wrong"',
    ),
    "thaw": ("operators:thaw", "The same as `resume PROVIDER`.", 'modelsync thaw openrouter --reason "they fixed it"'),
    "purge": (
        "housekeeping:purge",
        "Delete long retired models and old runs, after a look.",
        'modelsync purge --retired-for 365d --runs-older-than 90d\nmodelsync purge --plan 5f0c2b7d91e3a468 --reason "two years old"',
    ),
    "audit": ("housekeeping:audit", "List manual changes.", "modelsync audit --since 30d"),
    "settings": ("show:settings", "List every setting, its value and where it came from.", "modelsync settings"),
    "doctor": ("doctor:doctor", "Check keys, endpoints, database, clock and schema.", "modelsync doctor --providers xai groq"),
    "serve": (
        "serve:serve",
        "Serve the catalog and its administration over HTTP.",
        "ADMIN_API_KEY=$(openssl rand -hex 32) modelsync serve\nmodelsync serve --host 0.0.0.0 --port 8000",
    ),
    "scheduler": (
        "scheduler:scheduler",
        "Sync each provider when it is due, until it is stopped.",
        "modelsync scheduler\nMODELSYNC_SCHEDULE=12h MODELSYNC_SCHEDULE_GROQ=1h modelsync scheduler",
    ),
    "schedule": ("schedule:app", "Show, or set, when each provider is synced by itself.", ""),
    "workers": ("scheduler:workers", "List the processes that sync by themselves.", "modelsync workers\nmodelsync workers --json"),
    "keys": ("keys:app", "Hand out and take back keys for the REST API.", ""),
    "db": ("database:app", "Create, upgrade, back up, restore and copy the catalog's database.", ""),
    "simulate": (
        "simulate:simulate",
        "Serve all providers' wire formats locally.",
        "modelsync simulate --port 8900 &\nMODELSYNC_ORIGIN=http://127.0.0.1:8900 modelsync sync --providers openrouter",
    ),
    "demo": ("simulate:demo", "Show two days of syncing, offline.", "modelsync demo --keep demo.db"),
}

GROUPS = {
    "Every day": ("sync", "status", "models", "changes", "doctor"),
    "Look": ("providers", "explain", "history", "diff", "runs"),
    "Review": ("held", "confirm", "reject", "reopen"),
    "Decide": ("pin", "unpin", "pins", "hide", "keep", "add", "guard", "pause", "resume", "rollback", "thaw"),
    "Run": ("serve", "scheduler", "schedule", "workers", "keys", "db", "purge", "audit", "settings", "replay", "apply"),
    "Try": ("demo", "simulate"),
}
"""The commands as `--help` shows them."""


def examples(text: str) -> str:
    """Command lines as a help ends with them."""
    return "Examples:\n" + "\n".join(f"  {line}" for line in text.splitlines())


EPILOGUE = examples("modelsync demo\nmodelsync sync\nmodelsync models claude --tools --max-price 5") + f"\n\n{EXIT_CODES}"
