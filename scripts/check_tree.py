"""What may never be in a commit: addresses in lock files, paths of a developer's machine, keys."""

import re
import subprocess
import sys
from pathlib import Path

LOCK_FILES = re.compile(r"(^|/)(requirements[\w.-]*\.txt|package-lock\.json|uv\.lock|pylock\.toml)$")
ADDRESS = re.compile(r"://|--index|--extra-index|--find-links")
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(?:home|Users)/(?!runner\b|modelsync\b)[a-z][\w.-]*/"),
    "a secret key": re.compile(r"\b(?:sk-(?:or-v1-|ant-|proj-)?\w{32,}|gsk_\w{40,}|hf_\w{30,}|AKIA[0-9A-Z]{16})\b"),
    "a private key": re.compile(r"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{100,}"),
}


def findings(name: str, text: str) -> list[str]:
    """What is wrong with one tracked file."""
    found = [reason for reason, pattern in FORBIDDEN.items() if pattern.search(text)]
    if LOCK_FILES.search(name) and ADDRESS.search(text):
        found.append("an address in a lock file")
    return found


def main() -> int:
    """Print every finding as file and reason; 1 when there is one."""
    tracked = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout.split("\0")  # noqa: S607
    wrong = 0
    for name in filter(None, tracked):
        path = Path(name)
        if not path.is_file() or path.name == Path(__file__).name:
            continue
        for reason in findings(name, path.read_text("utf-8", errors="replace")):
            sys.stderr.write(f"{name}: {reason}\n")
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
