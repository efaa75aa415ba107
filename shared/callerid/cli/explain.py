"""``callerid explain``: what a reason means, how it looks in a log, how to fix it."""

from __future__ import annotations

import difflib

import click

from callerid.explanations import explanation
from callerid.reasons import REASONS


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Explain a reason CODE; without one, list them all."""
    if code is None:
        width = max(map(len, REASONS))
        for reason in REASONS.values():
            click.echo(f"{reason.code:{width}}  {reason.severity:13}  {reason.verdict or '–':14}  {reason.why}")
        return
    if code not in REASONS:
        close = difflib.get_close_matches(code.lower(), REASONS, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; `callerid explain` lists them all"
        raise click.BadParameter(f"no reason is called {code!r}{hint}", param_hint="CODE")
    reason, text = REASONS[code], explanation(code)
    decides = f"decides {reason.verdict}" if reason.verdict else "is only told; the verdict stands"
    click.echo(f"{reason.code}: {reason.why}\nSeverity {reason.severity}; {decides}.\n")
    click.echo(f"{text.means.strip()}\n")
    for title, part in (("In the log", text.log), ("Fix", text.fix), ("What refuses it", text.refuse)):
        click.echo(f"{title}:\n\n{_indented(part)}\n")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.strip().splitlines())
