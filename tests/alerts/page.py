"""Draws messages as a page of HTML that looks about as Slack does, for people who change the layout.

python -m tests.alerts.page page.html      # every golden
"""

import html
import json
import re
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
STYLE = """body{font:15px/1.46 Lato,'DejaVu Sans',sans-serif;width:700px;margin:20px;color:#1d1c1d}
.m{border-left:4px solid #ddd;padding:4px 12px;margin:26px 0}h3{font-size:18px;margin:4px 0}
code{font:12px Menlo,'DejaVu Sans Mono',monospace;border:1px solid #ddd;background:#f8f8f8;color:#c01343;padding:1px 3px;
border-radius:3px;overflow-wrap:anywhere}pre{font:12px Menlo,'DejaVu Sans Mono',monospace;background:#f8f8f8;border:1px solid #ddd;
padding:8px;white-space:pre-wrap;margin:4px 0;overflow-wrap:anywhere}.f{display:grid;grid-template-columns:1fr 1fr;gap:8px 12px}
p,.f,.c,.a,.r{margin:8px 0}.c{color:#616061;font-size:12px}.b{display:inline-block;border:1px solid #bbb;border-radius:4px;
padding:3px 12px;margin-right:8px;font-weight:bold}.n{color:#999;font-size:12px}table{border-collapse:collapse;font-size:13px}
td{border:1px solid #ddd;padding:3px 8px}.at{background:#fff2b3;color:#1264a3}"""


def page(named: dict[str, dict]) -> str:
    """A page with messages, each under its name."""
    drawn = "".join(f'<div class="n">{html.escape(name)}</div>{draw(message)}' for name, message in named.items())
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{drawn}'


def draw(message: dict) -> str:
    """One message."""
    body = "".join(map(_block, message["blocks"])) or f"<p>{_mrkdwn(message['text'])}</p>"
    return f'<div class="n">{html.escape(message["text"])}</div><div class="m">{body}</div>'


def _block(block: dict) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{html.escape(block['text']['text'])}</h3>"
        case "section" if "fields" in block:
            facts = "".join(f"<div>{_mrkdwn(field['text'])}</div>" for field in block["fields"])
            return f'<div class="f">{facts}</div>'
        case "section":
            return f"<p>{_mrkdwn(block['text']['text'])}</p>"
        case "context":
            return f'<div class="c">{_mrkdwn(block["elements"][0]["text"])}</div>'
        case "actions":
            labels = (button["text"]["text"] for button in block["elements"])
            return "".join(f'<span class="b">{label}</span>' for label in labels)
        case "rich_text":
            return f'<div class="r">{"".join(map(_rich, block["elements"]))}</div>'
        case "table":
            rows = ("".join(f"<td>{html.escape(cell['text'])}</td>" for cell in row) for row in block["rows"])
            return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
    return ""


def _rich(element: dict) -> str:
    text = html.escape(element["elements"][0]["text"])
    return f"<pre>{text}</pre>" if element["type"] == "rich_text_preformatted" else f"<b>{text}</b>"


def _mrkdwn(text: str) -> str:
    """Mrkdwn as Slack reads it: its three entities are HTML's too."""
    parts = text.split("`")
    for place, part in enumerate(parts):
        if place % 2:
            parts[place] = f"<code>{part}</code>"
            continue
        shown = re.sub(r"<!date\^\d+\^[^|]*\|([^>]*)>", r"\1", part)
        shown = re.sub(r"<!subteam\^(\w+)>", r'<span class="at">@\1</span>', shown)
        parts[place] = re.sub(r"\*([^*]+)\*", r"<b>\1</b>", shown)
    return "".join(parts).replace("\n", "<br>")


if __name__ == "__main__":
    files = sorted(GOLDEN.glob("*.json"))
    Path(sys.argv[1]).write_text(page({file.stem: json.loads(file.read_text()) for file in files}), encoding="utf-8")
