"""Bring the model catalog in step with the providers: the entry for cron, systemd and CI.

Takes the options of `modelsync sync` and works after `pip install -r requirements.txt` alone.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from modelsync.cli import main

main(["sync", *sys.argv[1:]])
