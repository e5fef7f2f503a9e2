"""Settings: where each value comes from, what is refused, and what no output may hold."""

import json
from pathlib import Path

import msgspec
import pytest

from modelsync import settings
from modelsync.database.engine import parse_url
from modelsync.errors import SettingsError
from modelsync.fetch import FetchLimits, GoogleCredential
from modelsync.model.actors import Scope
from modelsync.providers import registry
from modelsync.providers.base import ApiKey
from modelsync.settings import TABLE, Settings
from modelsync.settings.sources import beside

KEY = "sk-canary-4711"
GROQ, ALIBABA, FIREWORKS = (registry.load()[slug] for slug in ("groq", "alibaba", "fireworks"))


@pytest.fixture
def load(tmp_path):
    """Settings of an environment, a `.env` and a TOML file, all in a folder of their own."""

    def load(environment=None, *, env_file=None, toml=None, **overrides) -> Settings:
        for name, text in ((".env", env_file), ("modelsync.toml", toml)):
            if text is not None:
                (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return settings.load(environment or {}, tmp_path, **overrides)

    return load


def row(loaded, name):
    (found,) = (setting for setting in loaded.shown if setting.name == name)
    return found.value, found.source


def key(loaded, slug="groq"):
    credential = loaded.credentials.get(slug)
    return credential and (credential.key, credential.variable, credential.scheme)


# Where values come from


def test_without_anything_there_are_defaults(load):
    loaded = load()
    assert loaded.database_url == "sqlite:///modelsync.db"
    assert (loaded.limits, loaded.origins.everywhere, loaded.origins.by_slug) == (FetchLimits(), None, {})
    assert loaded.enabled == registry.load().keys() == loaded.options.keys()
    assert {slug for slug in loaded.credentials if slug != "google-vertex"} == set()  # a machine of Google's has an account of its own
    assert {setting.source for setting in loaded.shown} == {"not set"}
    assert loaded.secrets == ()


def test_the_environment_beats_the_env_file_beats_toml_beats_the_default(load):
    files = {"env_file": "MODELSYNC_ATTEMPTS=5\nMODELSYNC_DEADLINE=50\n", "toml": "MODELSYNC_ATTEMPTS = 6\nMODELSYNC_DEADLINE = 60\n"}
    loaded = load({"MODELSYNC_ATTEMPTS": "4"}, **files, MODELSYNC_ORIGIN="http://127.0.0.1:1")
    assert (loaded.limits.attempts, loaded.limits.deadline, loaded.limits.max_bytes) == (4, 50, FetchLimits().max_bytes)
    assert row(loaded, "MODELSYNC_ATTEMPTS") == ("4", "environment")
    assert row(loaded, "MODELSYNC_DEADLINE") == ("50", ".env")
    assert row(loaded, "MODELSYNC_ORIGIN") == ("http://127.0.0.1:1", "command line")
    assert row(loaded, "MODELSYNC_MAX_BYTES") == ("", "not set")
    assert load(toml="MODELSYNC_ATTEMPTS = 6", env_file="").limits.attempts == 6


def test_the_command_line_beats_the_environment(load):
    assert load({"DATABASE_URL": "sqlite:///a.db"}, DATABASE_URL="sqlite:///b.db").database_url == "sqlite:///b.db"
    assert load({"DATABASE_URL": "sqlite:///a.db"}, DATABASE_URL="").database_url == "sqlite:///a.db"


def test_a_blank_value_falls_through_to_the_next_place(load):
    loaded = load({"GROQ_API_KEY": "  "}, env_file=f"GROQ_API_KEY={KEY}\n")
    assert key(loaded) == (KEY, "GROQ_API_KEY", "Bearer")
    assert row(loaded, "GROQ_API_KEY") == ("***", ".env")


def test_another_toml_file_can_be_named(load, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text("MODELSYNC_ATTEMPTS = 7")
    loaded = load({"MODELSYNC_CONFIG": str(other)}, toml="MODELSYNC_ATTEMPTS = 6")
    assert row(loaded, "MODELSYNC_ATTEMPTS") == ("7", "other.toml")
    with pytest.raises(SettingsError, match="which is not there"):
        load({"MODELSYNC_CONFIG": str(tmp_path / "none.toml")})


def test_paths_in_the_files_of_a_home_are_its_own_and_others_the_callers(tmp_path, monkeypatch):
    home, caller = tmp_path / "home", tmp_path / "caller"
    for folder in (home, caller):
        folder.mkdir()
    monkeypatch.chdir(caller)
    (caller / ".env").write_text("MODELSYNC_ATTEMPTS=9")
    (home / ".env").write_text("MODELSYNC_ARCHIVE=kept\nMODELSYNC_CONFIG=other.toml\nGOOGLE_APPLICATION_CREDENTIALS=account.json")
    (home / "other.toml").write_text('DATABASE_URL = "sqlite:///data/x.db"\nMODELSYNC_ATTEMPTS = 4')
    environment = {"MODELSYNC_HOME": str(home)}
    loaded = settings.load(environment)
    assert (loaded.database_url, loaded.archive, loaded.limits.attempts) == (f"sqlite:///{home}/data/x.db", home / "kept", 4)
    assert loaded.credentials["google-vertex"].path == home / "account.json"
    loaded = settings.load({**environment, "DATABASE_URL": "sqlite:///mine.db", "MODELSYNC_ARCHIVE": "mine"})
    assert (loaded.database_url, str(loaded.archive)) == ("sqlite:///mine.db", "mine")
    assert settings.load(environment, DATABASE_URL="mine.db").database_url == "mine.db"
    (home / ".env").write_text("")
    assert settings.load(environment).database_url == f"sqlite:///{home}/modelsync.db"
    (home / "modelsync.toml").write_text('DATABASE_URL = "postgresql://u:p@h/d"')
    assert settings.load(environment).database_url == "postgresql://u:p@h/d"


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        *(
            ("x.db", "/h/x.db"),
            (" 'x.db' ", "/h/x.db"),
            ("a/x.db", "/h/a/x.db"),
            ("sqlite:x.db", "sqlite:/h/x.db"),
            ("sqlite:///x.db", "sqlite:////h/x.db"),
        ),
        *((text, text) for text in ("/x.db", "sqlite:////x.db", "~/x.db", "postgresql://h/d", "sqlite:///:memory:", "sqlite:///", "")),
    ],
)
def test_a_path_beside_a_folder(text, placed):
    assert beside(Path("/h"), text) == placed
    assert beside(Path(), text) == text.strip(" '")


@pytest.mark.parametrize("toml", ["x = [", "x = 1\nx = 2", b"\xff\xfe"])
def test_a_toml_file_that_is_none_is_named(load, toml):
    with pytest.raises(SettingsError, match=r"modelsync\.toml is not valid TOML"):
        load(toml=toml)


def test_an_env_file_that_is_no_text_is_named(load):
    with pytest.raises(SettingsError, match=r"\.env is not text"):
        load(env_file=b"\xff\xfeA=1")


def test_an_env_file_as_people_write_it(load):
    text = (
        "# keys\n\n"
        f"export GROQ_API_KEY='{KEY}' # mine\n"
        'XAI_API_KEY = "x y"\n'
        "OPENROUTER_API_KEY=\n"
        "NAME_ALONE\n"
        "DATABASE_URL=postgresql://u:a#b@h/d\n"
    )
    loaded = load(env_file=text)
    assert (key(loaded), key(loaded, "xai"), key(loaded, "openrouter")) == (
        (KEY, "GROQ_API_KEY", "Bearer"),
        ("x y", "XAI_API_KEY", "Bearer"),
        None,
    )
    assert loaded.database_url == "postgresql://u:a#b@h/d"


# Keys


@pytest.mark.parametrize("blank", ["", " ", "\t\n", '""', "''", '" "', "'  '", '"', "\"''\""])
def test_i08_a_blank_key_is_no_key(load, blank):
    assert key(load({"GROQ_API_KEY": blank})) is None


@pytest.mark.parametrize("written", [KEY, f" {KEY}\n", f'"{KEY}"', f"'{KEY}'", f"' {KEY} '"])
def test_blanks_and_quotes_around_a_key_are_dropped(load, written):
    assert key(load({"GROQ_API_KEY": written})) == (KEY, "GROQ_API_KEY", "Bearer")


BEARERS = [(slug, name) for slug, each in registry.load().items() if isinstance(each.auth, ApiKey) for name in each.auth.variables]


@pytest.mark.parametrize(("slug", "variable"), BEARERS)
def test_every_name_of_every_key_is_read(load, slug, variable):
    loaded = load({variable: KEY})
    assert key(loaded, slug) == (KEY, variable, registry.load()[slug].auth.scheme)
    assert [each for each in loaded.credentials if each not in (slug, "google-vertex")] == []
    assert loaded.secrets == (KEY,)
    assert row(loaded, variable) == ("***", "environment")


def test_no_two_providers_share_a_key_variable():
    names = [name for _, name in BEARERS]
    assert len(names) == len(set(names))
    assert {"TOGETHER_API_KEY", "FAL_KEY", "HF_TOKEN", "AI_GATEWAY_API_KEY", "NEARAI_API_KEY"} <= set(names)


def test_of_two_names_the_first_counts_unless_it_is_blank(load):
    first, second = registry.load()["fal"].auth.variables
    assert key(load({first: "one", second: "two"}), "fal") == ("one", first, "Key")
    assert key(load({first: '""', second: "two"}), "fal") == ("two", second, "Key")


def test_googles_credentials(load, tmp_path):
    text = json.dumps({"type": "service_account", "private_key": KEY})
    loaded = load({"GOOGLE_VERTEX_CREDENTIALS_JSON": text, "GOOGLE_APPLICATION_CREDENTIALS": "/x.json"})
    assert loaded.credentials["google-vertex"].json_text == text
    assert loaded.secrets == (text, KEY)
    assert row(loaded, "GOOGLE_VERTEX_CREDENTIALS_JSON") == ("***", "environment")
    loaded = load({"GOOGLE_APPLICATION_CREDENTIALS": "/x.json"})
    assert str(loaded.credentials["google-vertex"].path) == "/x.json"
    assert row(loaded, "GOOGLE_APPLICATION_CREDENTIALS") == ("/x.json", "environment")
    own = tmp_path / ".config" / "gcloud" / "application_default_credentials.json"
    own.parent.mkdir(parents=True)
    own.write_text(text)
    assert load({"HOME": str(tmp_path)}).credentials["google-vertex"].path == own
    assert load({"CLOUDSDK_CONFIG": str(own.parent)}).credentials["google-vertex"].path == own
    on_google = load({"K_SERVICE": "x"}).credentials["google-vertex"]
    assert isinstance(on_google, GoogleCredential)
    assert (on_google.json_text, on_google.path) == (None, None)


# Numbers, origins, providers


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MODELSYNC_DEADLINE", "abc", "is not a number"),
        ("MODELSYNC_DEADLINE", "nan", "is out of range"),
        ("MODELSYNC_DEADLINE", "inf", "is out of range"),
        ("MODELSYNC_DEADLINE", "0", "is out of range"),
        ("MODELSYNC_DEADLINE", "-5", "is out of range"),
        ("MODELSYNC_DEADLINE", "3601", "is out of range"),
        ("MODELSYNC_DEADLINE", "1m", "is not a number"),
        ("MODELSYNC_CONNECT_TIMEOUT", "0.05", "is out of range"),
        ("MODELSYNC_ATTEMPTS", "2.5", "is not a number"),
        ("MODELSYNC_ATTEMPTS", "0", "is out of range"),
        ("MODELSYNC_ATTEMPTS", "11", "is out of range"),
        ("MODELSYNC_MAX_BYTES", "64MB", "is not a number"),
        ("MODELSYNC_MAX_BYTES", "1", "is out of range"),
        ("MODELSYNC_MAX_BYTES", "9" * 5000, "is not a number"),
        ("MODELSYNC_RATE", "-1", "is out of range"),
        ("MODELSYNC_CONNECTIONS", "0", "is out of range"),
        ("MODELSYNC_HEAD_SECONDS", "nan", "is out of range"),
        ("MODELSYNC_CLIENT_EXPORTS", "1.5", "is not a number"),
        ("MODELSYNC_BODY_BYTES", "1MB", "is not a number"),
    ],
)
def test_a_wrong_number_names_its_variable_and_the_range(load, name, value, said):
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    assert caught.value.message == f"{name} {said}"
    assert caught.value.hint.startswith("Give one from ")
    assert caught.value.exit_code == 64


def test_numbers(load):
    given = {"MODELSYNC_DEADLINE": "1.5", "MODELSYNC_CONNECT_TIMEOUT": "3", "MODELSYNC_ATTEMPTS": "1", "MODELSYNC_MAX_BYTES": "1024"}
    assert load(given).limits == FetchLimits(deadline=1.5, connect_timeout=3, attempts=1, max_bytes=1024)


@pytest.mark.parametrize("name", ["MODELSYNC_TRUSTED_PROXIES", "MODELSYNC_SIGN_IN_PROXIES"])
@pytest.mark.parametrize("value", ["*", "proxy.example.org", "10.0.0.0/8,10.0.0.300", "unix:"])
def test_a_proxy_is_an_address_or_a_network(load, name, value):
    with pytest.raises(SettingsError, match=f"^{name} holds ") as caught:
        load({name: value, "MODELSYNC_SIGN_IN_HEADER": "X-User"})
    assert "10.0.0.0/8" in caught.value.hint


def test_signing_in_at_a_proxy_is_off_by_default_and_good_for_reading(load):
    assert load({}).serving.sign_in_header is None
    given = {"MODELSYNC_SIGN_IN_HEADER": "Remote-User", "MODELSYNC_SIGN_IN_PROXIES": "127.0.0.1,fd00::/8"}
    found = load(given).serving
    assert (found.sign_in_header, found.sign_in_proxies, found.sign_in_scope) == ("Remote-User", ("127.0.0.1", "fd00::/8"), Scope.READ)
    assert load({**given, "MODELSYNC_SIGN_IN_SCOPE": "sync"}).serving.sign_in_scope is Scope.SYNC


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HEADER": "X-User"}, "MODELSYNC_SIGN_IN_PROXIES is not set: anybody could send the header"),
        ({"PROXIES": "127.0.0.1"}, "MODELSYNC_SIGN_IN_HEADER is not set"),
        ({"SCOPE": "admin"}, "MODELSYNC_SIGN_IN_HEADER is not set"),
        ({"HEADER": "X User", "PROXIES": "127.0.0.1"}, "MODELSYNC_SIGN_IN_HEADER is no header for this"),
        ({"HEADER": "authorization", "PROXIES": "127.0.0.1"}, "MODELSYNC_SIGN_IN_HEADER is no header for this"),
        ({"HEADER": "X-User", "PROXIES": "127.0.0.1", "SCOPE": "root"}, "MODELSYNC_SIGN_IN_SCOPE is no scope"),
    ],
)
def test_half_of_the_settings_of_signing_in_are_refused(load, given, said):
    with pytest.raises(SettingsError) as caught:
        load({f"MODELSYNC_SIGN_IN_{name}": value for name, value in given.items()})
    assert caught.value.message.startswith(said)


@pytest.mark.parametrize("value", ["localhost:8900", "ftp://h", "http://", "http:///path", "http://[x", "/path", "127.0.0.1"])
@pytest.mark.parametrize("name", ["MODELSYNC_ORIGIN", "MODELSYNC_ORIGIN_GROQ"])
def test_an_origin_that_is_no_address_is_refused(load, name, value):
    with pytest.raises(SettingsError, match=f"^{name} is not an http or https address"):
        load({name: value})


def test_origins_and_where_they_lead(load):
    loaded = load({"MODELSYNC_ORIGIN": "http://127.0.0.1:8900/", "MODELSYNC_ORIGIN_GOOGLE_VERTEX": "https://proxy.test.invalid:8443"})
    assert loaded.origins.route("groq", "https://api.groq.com/openai/v1/models?a=1") == "http://127.0.0.1:8900/groq/openai/v1/models?a=1"
    assert (
        loaded.origins.route("google-vertex", "https://x.googleapis.com/v1beta1/p?q=1") == "https://proxy.test.invalid:8443/v1beta1/p?q=1"
    )
    assert row(loaded, "MODELSYNC_ORIGIN_GOOGLE_VERTEX") == ("https://proxy.test.invalid:8443", "environment")


@pytest.mark.parametrize("value", ["groq,fal", "groq fal", " groq , fal ", "groq,\nfal", "groq,,fal,", "fal, groq, groq"])
def test_which_providers_are_on(load, value):
    assert load({"MODELSYNC_PROVIDERS": value}).enabled == {"groq", "fal"}


@pytest.mark.parametrize("value", ["", " ", '""', ",", " , "])
def test_an_empty_choice_of_providers_is_no_choice(load, value):
    assert load({"MODELSYNC_PROVIDERS": value}).enabled == registry.load().keys()


def test_providers_from_toml(load):
    assert load(toml='MODELSYNC_PROVIDERS = ["groq", "fal"]').enabled == {"groq", "fal"}
    assert load(toml="MODELSYNC_PROVIDERS = []").enabled == registry.load().keys()


@pytest.mark.parametrize(
    ("value", "unknown", "hint"),
    [
        ("groq,opnrouter", "opnrouter", "Did you mean openrouter?"),
        ("google_vertex", "google_vertex", "Did you mean google-vertex?"),
        ("Groq", "Groq", "Did you mean groq?"),
        ("zzzzqqqq", "zzzzqqqq", "Known providers: "),
    ],
)
def test_an_unknown_provider_is_named_with_a_near_one(load, value, unknown, hint):
    with pytest.raises(SettingsError) as caught:
        load({"MODELSYNC_PROVIDERS": value})
    assert caught.value.message == f"MODELSYNC_PROVIDERS names the unknown provider {unknown}"
    assert caught.value.hint.startswith(hint)


# Options


@pytest.mark.parametrize("value", ["google,meta", "google meta", " google, meta ,"])
def test_a_list_option_is_split(load, value):
    assert load({"GOOGLE_VERTEX_PUBLISHERS": value}).options["google-vertex"].publishers == ("google", "meta")


def test_options_have_their_types(load):
    loaded = load({"FIREWORKS_INCLUDE_DEPLOYABLE": "true", "HUGGINGFACE_HUB_LIMIT": "50", "ALIBABA_REGION": "us"})
    assert loaded.options["fireworks"].include_deployable is True
    assert loaded.options["huggingface"].hub_limit == 50
    assert loaded.options["alibaba"].region == "us"
    loaded = load(toml='FIREWORKS_INCLUDE_DEPLOYABLE = true\nGOOGLE_VERTEX_PUBLISHERS = ["a", "b"]')
    assert loaded.options["fireworks"].include_deployable is True
    assert loaded.options["google-vertex"].publishers == ("a", "b")


def test_options_not_given_are_the_providers_own(load):
    loaded = load()
    assert all(loaded.options[slug] == provider.options() for slug, provider in registry.load().items())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ALIBABA_REGION", "mars", "ALIBABA_REGION cannot be used: Invalid enum value 'mars'"),
        ("ALIBABA_REGION", "frankfurt", "the options of Alibaba Cloud Model Studio cannot be used: frankfurt needs a workspace"),
        ("FIREWORKS_INCLUDE_DEPLOYABLE", "maybe", "FIREWORKS_INCLUDE_DEPLOYABLE cannot be used: it is neither true nor false"),
        ("HUGGINGFACE_HUB_LIMIT", "many", "HUGGINGFACE_HUB_LIMIT cannot be used: it is no whole number"),
        ("HUGGINGFACE_HUB_LIMIT", "-1", "HUGGINGFACE_HUB_LIMIT cannot be used: it is less than 0"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(load, name, value, message):
    with pytest.raises(SettingsError) as caught:
        load({name: value})
    assert caught.value.message.replace(ALIBABA.name, "Alibaba Cloud Model Studio") == message


# What is shown


def test_every_setting_is_listed_once_with_a_help(load):
    shown = load({"MODELSYNC_ORIGIN_GROQ": "http://127.0.0.1:1"}).shown
    names = [setting.name for setting in shown]
    assert len(names) == len(set(names))
    assert {entry.name for entry in TABLE} | {name for _, name in BEARERS} | {"ALIBABA_REGION", "MODELSYNC_ORIGIN_GROQ"} <= set(names)
    assert all(setting.help for setting in shown)


def test_a_setting_that_does_not_exist_is_pointed_out_without_its_value(load):
    loaded = load({"MODELSYNC_ADMIN_KEY": KEY, "MODELSYNC_ORIGIN_GROK": "http://h"})
    assert row(loaded, "MODELSYNC_ADMIN_KEY") == ("***", "environment")
    unknown = [setting.name for setting in loaded.shown if "no such setting" in setting.help]
    assert unknown == ["MODELSYNC_ADMIN_KEY", "MODELSYNC_ORIGIN_GROK"]


PASSWORD = "pa55-canary"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (f"postgresql://me:{PASSWORD}@h:5432/d", "postgresql://me:***@h:5432/d"),
        (f"postgres://me:{PASSWORD}@/x:y@z@h/d?pgbouncer=true", "postgres://me:***@h/d?pgbouncer=true"),
        (f"postgresql://h/d?user=me&password={PASSWORD}&sslmode=require", "postgresql://h/d?user=me&password=***&sslmode=require"),
        (f"me:{PASSWORD}@h/d", "me:***@h/d"),  # without a scheme it will be refused, and still must not be shown
        (f"postgres://:{PASSWORD}@h/d", "postgres://:***@h/d"),
        ("postgresql://me@h/d", "postgresql://me@h/d"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
    ],
)
def test_i31_a_database_password_is_never_shown_and_is_a_secret(load, written, shown):
    loaded = load({"DATABASE_URL": written})
    assert loaded.database_url == written
    assert row(loaded, "DATABASE_URL") == (shown, "environment")
    assert any(PASSWORD in secret for secret in loaded.secrets) is (PASSWORD in written)
    assert PASSWORD not in repr(loaded.shown)


def test_i31_a_password_is_a_secret_as_written_and_decoded(load):
    assert set(load({"DATABASE_URL": "postgres://u:a%40b@h/d"}).secrets) == {"a%40b", "a@b"}


def test_i31_a_password_in_an_origin_is_not_shown(load):
    assert row(load({"MODELSYNC_ORIGIN": f"http://me:{PASSWORD}@127.0.0.1:1"}), "MODELSYNC_ORIGIN")[0] == "http://me:***@127.0.0.1:1"


@pytest.mark.parametrize("name", ["AIMO_BASE_URL", "MODELSYNC_CORS_ORIGINS", "MODELSYNC_DATABASE"])
def test_i31_a_password_that_is_masked_is_a_secret_in_whatever_setting_it_is(load, name):
    loaded = load({name: f"https://me:{PASSWORD}@h.test.invalid"})
    assert PASSWORD not in repr(loaded.shown)
    assert loaded.secrets == (PASSWORD,)


def test_i31_a_token_in_an_origin_is_not_shown_and_is_a_secret(load):
    loaded = load({"MODELSYNC_ORIGIN_GROQ": f"https://{KEY}%2B@proxy.test.invalid"})
    assert row(loaded, "MODELSYNC_ORIGIN_GROQ")[0] == "https://***@proxy.test.invalid"
    assert set(loaded.secrets) == {f"{KEY}%2B", f"{KEY}+"}


def test_i31_no_key_is_in_anything_meant_for_people(load):
    loaded = load({name: f"{KEY}-{number}" for number, (_, name) in enumerate(BEARERS)})
    assert KEY not in repr(loaded.shown)
    assert KEY not in repr(loaded.credentials)
    assert len(loaded.secrets) == len({slug for slug, _ in BEARERS})
    assert list(loaded.secrets) == sorted(loaded.secrets, key=len, reverse=True)  # so that no secret is cut by a shorter one


# Scope


def test_i13_a_scope_is_the_same_as_long_as_nothing_it_depends_on_changes(load):
    one, two = load({"GROQ_API_KEY": KEY}), load({"GROQ_API_KEY": f" {KEY} ", "XAI_API_KEY": "other", "MODELSYNC_ATTEMPTS": "9"})
    assert one.scope(GROQ) == two.scope(GROQ)
    assert len(one.scope(GROQ)) == 16
    assert set(one.scope(GROQ)) <= set("0123456789abcdef")


def test_a_scope_changes_with_key_options_and_origin(load):
    scopes = [
        load(given).scope(ALIBABA)
        for given in (
            {},
            {"DASHSCOPE_API_KEY": "one"},
            {"DASHSCOPE_API_KEY": "two"},
            {"DASHSCOPE_API_KEY": "one", "ALIBABA_REGION": "us"},
            {"DASHSCOPE_API_KEY": "one", "MODELSYNC_ORIGIN": "http://127.0.0.1:1"},
            {"DASHSCOPE_API_KEY": "one", "MODELSYNC_ORIGIN": "http://127.0.0.1:2"},
            {"DASHSCOPE_API_KEY": "one", "MODELSYNC_ORIGIN_ALIBABA": "http://127.0.0.1:1"},
        )
    ]
    assert len(set(scopes)) == len(scopes)


def test_a_scope_is_of_one_provider(load):
    loaded = load()
    assert len({loaded.scope(provider) for provider in registry.load().values()}) == len(registry.load())
    before = loaded.scope(FIREWORKS)
    assert load({"FIREWORKS_INCLUDE_DEPLOYABLE": "true"}).scope(FIREWORKS) != before
    assert load({"ALIBABA_REGION": "us"}).scope(FIREWORKS) == before


def test_a_scope_never_holds_the_key(load):
    short = load({"GROQ_API_KEY": "a"})
    assert short.scope(GROQ) != load({"GROQ_API_KEY": "b"}).scope(GROQ)
    assert KEY not in load({"GROQ_API_KEY": KEY}).scope(GROQ)


def test_settings_can_be_replaced_and_not_changed(load):
    loaded = load()
    assert msgspec.structs.replace(loaded, database_url="x").database_url == "x"
    with pytest.raises(AttributeError):
        loaded.database_url = "x"


# Supabase's own variables


REF = "abcdefghijklmnopqrst"
OF_SUPABASE = {
    "SUPABASE_URL": f"https://{REF}.supabase.co",
    "SUPABASE_KEY": KEY,
    "SUPABASE_SERVICE_ROLE_KEY": f"{KEY}-service",
    "SUPABASE_ANON_KEY": f"{KEY}-anon",
    "NEXT_PUBLIC_SUPABASE_URL": f"https://{REF}.supabase.co/",
}


def refusal(loaded):
    """What opening the database says."""
    with pytest.raises(SettingsError) as caught:
        parse_url(loaded.database_url)
    assert caught.value.exit_code == 64
    assert KEY not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", OF_SUPABASE)
def test_a_variable_of_supabases_web_api_without_database_url_is_no_sqlite(load, name):
    project = REF if name.endswith("URL") else "<ref>"
    value = OF_SUPABASE[name]
    for loaded in (load({name: value}), load(toml=f'{name} = "{value}"'), load(env_file=f"{name}={value}")):
        said = refusal(loaded)
        assert "SUPABASE_URL and its keys are for Supabase's web API" in said
        assert f"shows under Connect, as postgresql://postgres.{project}:[YOUR-PASSWORD]@aws-0-<region>.pooler.supabase.com:6543/" in said
        assert said.endswith("or to sqlite:///modelsync.db, to use SQLite all the same")


def test_all_of_them_name_the_project_once_and_are_shown_without_keys(load):
    loaded = load(OF_SUPABASE)
    assert f"postgres.{REF}:" in refusal(loaded)
    rows = {each.name: each.value for each in loaded.shown if each.name in OF_SUPABASE}
    assert rows == {name: value if name.endswith("URL") else "***" for name, value in OF_SUPABASE.items()}
    assert all("set DATABASE_URL" in each.help for each in loaded.shown if each.name in OF_SUPABASE)
    assert set(loaded.secrets) == {value for name, value in OF_SUPABASE.items() if name.endswith("KEY")}


@pytest.mark.parametrize("given", ["sqlite:///modelsync.db", "postgresql://u:p@h/d"])
def test_with_database_url_they_are_nothing_to_us(load, given):
    by_environment, by_command_line = load({**OF_SUPABASE, "DATABASE_URL": given}), load(OF_SUPABASE, DATABASE_URL=given)
    for loaded in (by_environment, by_command_line, load(OF_SUPABASE, env_file=f"DATABASE_URL={given}")):
        assert loaded.database_url == given
        assert [each.name for each in loaded.shown if "SUPABASE" in each.name] == []


@pytest.mark.parametrize("address", ["https://api.example.com", "http://127.0.0.1:54321", "https://[x", "x", "https://a.b.supabase.co"])
def test_of_another_address_no_project_is_guessed(load, address):
    assert "postgres.<ref>:" in refusal(load({"SUPABASE_URL": address}))


@pytest.mark.parametrize("blank", ["", " ", '""'])
def test_blank_ones_are_not_set(load, blank):
    assert load(dict.fromkeys(OF_SUPABASE, blank)).database_url == "sqlite:///modelsync.db"
