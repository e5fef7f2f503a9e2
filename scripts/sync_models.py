#!/usr/bin/env python3
""":" # A shell that is given this file hands it on to Python, and runs nothing else of it.
exec python3 "$0" "$@"
Bring the model catalog in step with the providers: the entry for cron, systemd and CI.

Takes the options of the command sync, and works after "pip install -r requirements.txt" alone.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from modelsync.__main__ import run

sys.argv.insert(1, "sync")
run()
