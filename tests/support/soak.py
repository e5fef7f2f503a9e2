"""The figures of long campaigns, as JSON lines in the file that SOAK_REPORT names."""

import json
import os
from pathlib import Path


def note_figures(campaign: str, **figures: object) -> None:
    """Append what a campaign came to; without SOAK_REPORT nothing is written."""
    report = os.environ.get("SOAK_REPORT")
    if report:
        with Path(report).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"campaign": campaign, **figures}) + "\n")
