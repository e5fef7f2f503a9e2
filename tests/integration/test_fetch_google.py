"""The OAuth exchange of Google's accounts, with real signatures, against the simulator's token endpoint."""

import asyncio
import gzip
import json
import time
from pathlib import Path
from typing import Any

import pytest
import structlog

from modelsync import logs
from modelsync.errors import Failure, FailureKind
from modelsync.fetch import Fetched, Fetcher, FetchLimits, GoogleCredential, Origins
from modelsync.fetch.results import FetchResult
from modelsync.providers import registry
from modelsync.simulator.account import ServiceAccount
from modelsync.simulator.server import Simulator

PROVIDER = registry.load()["google-vertex"]
VARIABLE = "GOOGLE_VERTEX_CREDENTIALS_JSON"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ONE_TRY = FetchLimits(deadline=15, attempts=1)


def fetched(simulator: Simulator, credential: GoogleCredential, limits: FetchLimits = ONE_TRY) -> tuple[FetchResult, float]:
    async def run() -> tuple[FetchResult, float]:
        async with Fetcher(limits, Origins(everywhere=simulator.origin), {"google-vertex": credential}) as fetcher:
            began = time.monotonic()
            result = await fetcher.fetch(PROVIDER, PROVIDER.options())
            return result, time.monotonic() - began

    return asyncio.run(run())


def given(text: str) -> GoogleCredential:
    return GoogleCredential(VARIABLE, SCOPE, json_text=text)


def failed(simulator: Simulator, credential: GoogleCredential, limits: FetchLimits = ONE_TRY) -> Failure:
    result, _ = fetched(simulator, credential, limits)
    assert isinstance(result, Failure), result
    return result


def test_the_right_account_gets_one_token_for_all_requests(simulator: Simulator) -> None:
    result, _ = fetched(simulator, given(simulator.service_account()))
    assert isinstance(result, Fetched)
    seen = [(request.method, request.path.rpartition("/")[2], request.key) for request in simulator.requests()]
    assert seen[0] == ("POST", "token", "none")
    assert set(seen[1:]) == {("GET", "models", "right")}
    assert len(result.answers) == len(seen) - 1 == 10  # one list for each publisher


def test_an_account_in_a_file_is_as_good(simulator: Simulator, tmp_path: Path) -> None:
    file = tmp_path / "account.json"
    file.write_text(simulator.service_account(), "utf-8")
    result, _ = fetched(simulator, GoogleCredential("GOOGLE_APPLICATION_CREDENTIALS", SCOPE, path=file))
    assert isinstance(result, Fetched)
    gone = failed(simulator, GoogleCredential("GOOGLE_APPLICATION_CREDENTIALS", SCOPE, path=tmp_path / "none.json"))
    assert (gone.kind, gone.message) == (FailureKind.CONFIG, "the Google credentials cannot be read (FileNotFoundError)")


def test_another_account_is_refused_by_name(simulator: Simulator) -> None:
    failure = failed(simulator, given(ServiceAccount().document()))
    assert (failure.kind, failure.message) == (FailureKind.CONFIG, "Google refused the credentials")
    assert failure.hint.startswith(f"Check the credentials in {VARIABLE}")
    assert [request.path for request in simulator.requests()] == ["/token"]


def _spoilt(account: str, **changes: Any) -> str:
    return json.dumps({name: value for name, value in {**json.loads(account), **changes}.items() if value is not None})


@pytest.mark.parametrize(
    "text",
    [
        *(
            "no JSON",
            "",
            "{}",
            "[]",
            "5",
            "null",
            '"text"',
            '{"type": "service_account"}',
            '{"type": "spaceship"}',
            '{"type": ["service_account"]}',
        ),
        *('{"type": "authorized_user"}', '{"type": "external_account"}', '{"type": "service_account", "private_key": "x"}', "{" * 100_000),
    ],
    ids=lambda text: text[:30],
)
def test_credentials_that_are_none_are_told_as_that(simulator: Simulator, text: str) -> None:
    failure = failed(simulator, given(text))
    assert failure.kind is FailureKind.CONFIG
    assert failure.message.startswith("the Google credentials cannot be read (")
    assert VARIABLE in failure.hint
    assert simulator.requests() == []


@pytest.mark.parametrize(
    "changes", [{"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}, {"token_uri": None}, {"client_email": 5}]
)
def test_accounts_with_a_broken_field_fail_with_an_instruction(simulator: Simulator, changes: dict[str, Any]) -> None:
    failure = failed(simulator, given(_spoilt(simulator.service_account(), **changes)))
    assert failure.hint
    assert "bug" not in failure.message


def test_i33_a_token_address_over_plain_http_gets_no_assertion(simulator: Simulator) -> None:
    elsewhere = _spoilt(simulator.service_account(), token_uri="http://tokens.invalid/token")

    async def run() -> FetchResult:
        async with Fetcher(ONE_TRY, Origins(by_slug={"groq": simulator.origin}), {"google-vertex": given(elsewhere)}) as fetcher:
            return await fetcher.fetch(PROVIDER, PROVIDER.options())

    result = asyncio.run(run())
    assert isinstance(result, Failure)
    assert result.message == "Google's token server cannot be reached (the token address is not https)"
    assert simulator.requests() == []


ANSWERS: dict[str, dict[str, Any]] = {
    "html": {"body": "<html>sign in</html>"},
    "a list": {"body": "[]"},
    "a number": {"body": "5"},
    "nothing": {"body": ""},
    "no token": {"body": "{}"},
    "no time": {"body": '{"access_token": "ya29.x", "expires_in": "soon"}'},
    "a redirect": {"body": "", "status": 307, "headers": {"location": "http://127.0.0.1:1/token"}},
    "not found": {"body": "nothing here", "status": 404},
    "an error that is no OAuth": {"body": '{"error": {"code": 403, "message": "no"}}', "status": 403},
    "a server that fails": {"body": "{}", "status": 500},
    "a busy server": {"body": '{"error": "temporarily_unavailable"}', "status": 503},
    "no UTF-8": {"body": b"\xff\xfe{}"},
    "a bomb": {"body": gzip.compress(b" " * 50_000_000), "headers": {"content-encoding": "gzip"}},
    "a flood": {"body": b" " * 3_000_000},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_token_server_that_answers_something_else_is_nobodys_key(simulator: Simulator, name: str) -> None:
    simulator.set_answer("google-vertex", "/token", **ANSWERS[name])
    failure = failed(simulator, given(simulator.service_account()))
    assert failure.kind is FailureKind.TRANSIENT
    bounded = {"a bomb": "an encoding that was not asked for", "a flood": "an answer that does not end"}
    said = f"cannot be reached ({bounded[name]})" if name in bounded else ("failed", "answered without a token")
    assert failure.message.removeprefix("Google's token server ") in said
    assert failure.hint == "Nothing was changed; try again later"
    assert {request.path for request in simulator.requests()} == {"/token"}


def test_a_token_that_cannot_be_sent_is_not(simulator: Simulator) -> None:
    simulator.set_answer("google-vertex", "/token", '{"access_token": "ya29.x\\r\\nX-Injected: 1", "expires_in": 3599}')
    failure = failed(simulator, given(simulator.service_account()))
    assert "cannot be sent" in failure.message
    assert "ya29" not in str(failure)


def test_the_deadline_holds_for_the_token_too(simulator: Simulator) -> None:
    simulator.add_fault("google-vertex", "delay", path="/token", seconds=30)
    result, seconds = fetched(simulator, given(simulator.service_account()), FetchLimits(deadline=1.0))
    assert isinstance(result, Failure)
    assert "within 1 s" in result.message
    assert seconds < 15


def test_neither_key_nor_token_is_shown(simulator: Simulator, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> None:
    logs.configure(verbose=True, secrets=())  # so that it is not the redaction that hides it
    request.addfinalizer(structlog.reset_defaults)
    account = simulator.service_account()
    token = "ya29.CANARY"
    fetched(simulator, given(account))
    simulator.set_answer("google-vertex", "/token", json.dumps({"access_token": token, "expires_in": 3599}))
    failures = [failed(simulator, given(account))]
    simulator.set_answer(
        "google-vertex", "/token", json.dumps({"error": "invalid_grant", "error_description": f"{token} {account}"}), status=400
    )
    failures.append(failed(simulator, given(account)))
    shown = capsys.readouterr().err + "".join(map(str, failures))
    assert "answered" in shown
    secrets = (token, "ya29.", "PRIVATE KEY", json.loads(account)["private_key"][40:80], "assertion")
    assert [secret for secret in secrets if secret in shown] == []
