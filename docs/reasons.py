"""Writes docs/reasons.md from the reasons and their explanations."""

from __future__ import annotations

import sys
from pathlib import Path

from callerid.explanations import explanations
from callerid.reasons import REASONS

HEAD = """# Reasons

Every judgement lists its reasons by these codes, and no others. `callerid explain CODE` prints the same text.
A reason with a verdict decides it; where several apply, the order is unattributable, anonymous, unexpected.
An attempt that the cloud denied is told one step less grave; under `warn` a reason is low and decides nothing.

| code | severity | decides | why |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    rows = [f"| [{r.code}](#{r.code}) | {r.severity} | {r.verdict or '–'} | {r.why} |" for r in REASONS.values()]
    return HEAD + "\n".join(rows) + "\n" + "".join(_section(code) for code in REASONS)


def _section(code: str) -> str:
    text = explanations()[code]
    return (
        f"\n### {code}\n\n{text.means.strip()}\n\n**In the log**\n\n```\n{text.log.strip()}\n```\n\n"
        f"**Fix**\n\n{text.fix.strip()}\n\n**What refuses it**\n\n{text.refuse.strip()}\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
