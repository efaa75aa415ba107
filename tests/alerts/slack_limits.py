"""What Slack takes, in a table of our own: a payload that breaks a rule is refused here as it is there.

Limits are those of https://docs.slack.dev/reference/block-kit, the lower one where sources differ.
"""

import json
import re

POST_TEXT, UPDATE_TEXT = 40_000, 4_000
BLOCKS = 50
ALL_BLOCKS = 13_000
"""Characters of all blocks together: undocumented, https://github.com/slackapi/bolt-js/issues/2509."""
METADATA = 16_000
KEYS = {"type", "block_id"}
OBJECTS = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}


def refusal(payload: dict, *, is_update: bool = False) -> tuple[str, list[str]] | None:
    """The error with which Slack refuses a message, and what it says is wrong; None where it takes it."""
    text, blocks, metadata = payload.get("text"), payload.get("blocks"), payload.get("metadata")
    if not text and not blocks:
        return "no_text", []
    if len(text or "") > (UPDATE_TEXT if is_update else POST_TEXT):
        return "msg_too_long", []
    if metadata is not None and (wrong := metadata_fault(metadata)):
        return wrong, []
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        return "invalid_blocks_format", []
    found = [f"[ERROR] {fault}" for fault in faults(blocks)]
    if found:
        return "invalid_blocks", found
    return ("msg_blocks_too_long", []) if len(json.dumps(blocks, ensure_ascii=False)) > ALL_BLOCKS else None


def metadata_fault(metadata: object) -> str | None:
    """What is wrong with a message's metadata."""
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        return "invalid_metadata_format"
    flat = all(isinstance(value, str | int) for value in metadata["event_payload"].values())
    if not flat or not re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", metadata["event_type"]):
        return "invalid_metadata_schema"
    return "metadata_too_large" if len(json.dumps(metadata)) > METADATA else None


def faults(blocks: list) -> list[str]:
    """Everything that is wrong with blocks, each with its place."""
    found = ["no more than 50 items allowed [json-pointer:/blocks]"] if len(blocks) > BLOCKS else []
    ids = [block["block_id"] for block in blocks if isinstance(block, dict) and "block_id" in block]
    if len(ids) != len(set(ids)):
        found.append("`block_id` already exists")
    tables = sum(isinstance(block, dict) and block.get("type") == "table" for block in blocks)
    if tables > 1:
        found.append("only_one_table_allowed")
    for index, block in enumerate(blocks):
        at = f"/blocks/{index}"
        check = CHECKS.get(block.get("type")) if isinstance(block, dict) else None
        found += check(block, at) if check else [f"unsupported type [json-pointer:{at}/type]"]
    return found


def _keys(part: dict, allowed: set, at: str) -> list[str]:
    return [f"no additional property allowed: {key} [json-pointer:{at}]" for key in sorted(set(part) - allowed)]


def _object(part: object, at: str, limit: int, kinds: tuple = ("mrkdwn", "plain_text")) -> list[str]:
    if not isinstance(part, dict) or part.get("type") not in kinds:
        return [f"must be a text object [json-pointer:{at}]"]
    return _keys(part, OBJECTS[part["type"]], at) + _text(part.get("text"), f"{at}/text", limit)


def _text(text: object, at: str, limit: int) -> list[str]:
    if not isinstance(text, str) or not text:
        return [f"must be more than 0 characters [json-pointer:{at}]"]
    if len(text) > limit:
        return [f"must be less than {limit + 1} characters [json-pointer:{at}]"]
    return []


def _many(items: object, at: str, most: int, check: object) -> list[str]:
    if not isinstance(items, list) or not 1 <= len(items) <= most:
        return [f"must have 1 to {most} items [json-pointer:{at}]"]
    return [fault for index, item in enumerate(items) for fault in check(item, f"{at}/{index}")]


def _header(block: dict, at: str) -> list[str]:
    return _keys(block, KEYS | {"text"}, at) + _object(block.get("text"), f"{at}/text", 150, ("plain_text",))


def _section(block: dict, at: str) -> list[str]:
    found = _keys(block, KEYS | {"text", "fields"}, at)
    if "text" not in block and "fields" not in block:
        found.append(f"missing required field: text [json-pointer:{at}]")
    if "text" in block:
        found += _object(block["text"], f"{at}/text", 3_000)
    if "fields" in block:
        found += _many(block["fields"], f"{at}/fields", 10, lambda part, place: _object(part, place, 2_000))
    return found


def _context(block: dict, at: str) -> list[str]:
    check = lambda part, place: _object(part, place, 2_000)  # noqa: E731
    return _keys(block, KEYS | {"elements"}, at) + _many(block.get("elements"), f"{at}/elements", 10, check)


def _actions(block: dict, at: str) -> list[str]:
    elements = block.get("elements")
    found = _keys(block, KEYS | {"elements"}, at) + _many(elements, f"{at}/elements", 25, _button)
    ids = [element.get("action_id") for element in elements or () if isinstance(element, dict)]
    return found if len(ids) == len(set(ids)) else [*found, f"`action_id` already exists [json-pointer:{at}]"]


def _button(button: dict, at: str) -> list[str]:
    if not isinstance(button, dict) or button.get("type") != "button":
        return [f"unsupported element [json-pointer:{at}]"]
    found = _keys(button, {"type", "action_id", "text", "url", "value", "style"}, at)
    found += _object(button.get("text"), f"{at}/text", 75, ("plain_text",))
    found += _text(button.get("action_id"), f"{at}/action_id", 255)
    url = button.get("url", "https://")
    if len(url) > 3_000 or not re.fullmatch(r"https://[!-~]*", url):
        found.append(f"invalid url [json-pointer:{at}/url]")
    return found


def _rich_text(block: dict, at: str) -> list[str]:
    def element(part: dict, place: str) -> list[str]:
        if part.get("type") not in ("rich_text_section", "rich_text_preformatted"):
            return [f"unsupported element [json-pointer:{place}]"]
        return _many(part.get("elements"), f"{place}/elements", 100, _rich_piece)

    return _keys(block, KEYS | {"elements"}, at) + _many(block.get("elements"), f"{at}/elements", 100, element)


def _rich_piece(part: dict, at: str) -> list[str]:
    if part.get("type") != "text":
        return [f"unsupported element [json-pointer:{at}]"]
    return _keys(part, {"type", "text", "style"}, at) + _text(part.get("text"), f"{at}/text", 4_000)


def _table(block: dict, at: str) -> list[str]:
    rows, settings = block.get("rows"), block.get("column_settings", [])
    found = _keys(block, KEYS | {"rows", "column_settings"}, at)
    found += _many(rows, f"{at}/rows", 100, lambda row, place: _many(row, place, 20, _cell))
    if isinstance(rows, list) and len({len(row) for row in rows if isinstance(row, list)}) > 1:
        found.append(f"rows of different widths [json-pointer:{at}/rows]")
    if len(settings) > 20 or any(set(column) - {"align", "is_wrapped"} for column in settings):
        found.append(f"invalid column settings [json-pointer:{at}/column_settings]")
    return found


def _cell(cell: dict, at: str) -> list[str]:
    if not isinstance(cell, dict) or cell.get("type") != "raw_text":
        return [f"unsupported cell [json-pointer:{at}]"]
    return _keys(cell, {"type", "text"}, at) + _text(cell.get("text"), f"{at}/text", 2_000)


CHECKS = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "rich_text": _rich_text,
    "table": _table,
    "divider": lambda block, at: _keys(block, KEYS, at),
}
