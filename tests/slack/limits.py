"""Block Kit's documented limits, for the blocks that handsoff uses. What is not known here is refused.

The pages, all below https://docs.slack.dev/reference/:

    block-kit/blocks                        50 blocks in a message; block_id 255 characters, once in a message
    block-kit/blocks/header-block           plain_text, 150 characters
    block-kit/blocks/section-block          text 3000; at most 10 fields of 2000
    block-kit/blocks/context-block          at most 10 elements
    block-kit/blocks/actions-block          at most 25 elements
    block-kit/blocks/input-block            label plain_text, 2000
    block-kit/block-elements/button-element text plain_text, 75; action_id 255; value 2000; url 3000
    block-kit/block-elements/plain-text-input-element       placeholder 150; max_length 3000
    block-kit/composition-objects/text-object     1 to 3000; emoji only in plain_text, verbatim in mrkdwn
    block-kit/composition-objects/confirmation-dialog-object  title 100, text 300, confirm and deny 30
    methods/chat.postmessage                text is cut at 40,000 characters

That a message may not be longer than about 13,000 characters in all (msg_blocks_too_long) is documented
nowhere; https://github.com/slackapi/bolt-js/issues/2509 found it. Lengths are counted as JavaScript does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MAX_BLOCKS = 50
MAX_ALL = 13_000
MAX_TEXT = 40_000

_KEYS = {
    "header": {"type", "text", "block_id"},
    "section": {"type", "text", "fields", "accessory", "block_id"},
    "context": {"type", "elements", "block_id"},
    "divider": {"type", "block_id"},
    "actions": {"type", "elements", "block_id"},
    "input": {"type", "label", "element", "dispatch_action", "hint", "optional", "block_id"},
    "button": {"type", "text", "action_id", "url", "value", "style", "confirm", "accessibility_label"},
    "plain_text_input": {
        "type",
        "action_id",
        "initial_value",
        "multiline",
        "min_length",
        "max_length",
        "placeholder",
    },
    "plain_text": {"type", "text", "emoji"},
    "mrkdwn": {"type", "text", "verbatim"},
}


def length(text: str) -> int:
    """In UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def problems(blocks: Any) -> Iterator[str]:
    """What Slack would refuse about these blocks, each with the place where it is."""
    if not isinstance(blocks, list):
        yield "blocks: must be an array"
        return
    if len(blocks) > MAX_BLOCKS:
        yield f"blocks: no more than {MAX_BLOCKS} items allowed"
    seen: set[str] = set()
    for number, block in enumerate(blocks):
        at = f"/blocks/{number}"
        if not isinstance(block, dict) or block.get("type") not in (
            "header",
            "section",
            "context",
            "divider",
            "actions",
            "input",
        ):
            yield f"{at}: unsupported type"
            continue
        yield from _block(block, at)
        identity = block.get("block_id")
        if identity is not None:
            if identity in seen:
                yield f"{at}/block_id: stands twice"
            seen.add(identity)


def _block(block: dict[str, Any], at: str) -> Iterator[str]:
    yield from _known(block, at)
    yield from _string(block, "block_id", 255, at)
    kind = block["type"]
    if kind == "header":
        yield from _text(block.get("text"), 150, f"{at}/text", plain=True)
    elif kind == "section":
        if "text" in block:
            yield from _text(block["text"], 3000, f"{at}/text")
        fields = block.get("fields", [])
        if "text" not in block and not fields:
            yield f"{at}: text or fields must be there"
        if len(fields) > 10:
            yield f"{at}/fields: no more than 10 items allowed"
        for number, field in enumerate(fields):
            yield from _text(field, 2000, f"{at}/fields/{number}")
    elif kind == "context":
        yield from _count(block, 10, at)
        for number, element in enumerate(block.get("elements", [])):
            yield from _text(element, 3000, f"{at}/elements/{number}")
    elif kind == "actions":
        yield from _count(block, 25, at)
        actions = [element.get("action_id") for element in block.get("elements", [])]
        if len(set(actions)) != len(actions):
            yield f"{at}/elements: an action_id stands twice"
        for number, element in enumerate(block.get("elements", [])):
            yield from _button(element, f"{at}/elements/{number}")
    elif kind == "input":
        yield from _text(block.get("label"), 2000, f"{at}/label", plain=True)
        yield from _input(block.get("element"), f"{at}/element")


def _button(button: Any, at: str) -> Iterator[str]:
    if button.get("type") != "button":
        yield f"{at}: unsupported type"
        return
    yield from _known(button, at)
    yield from _text(button.get("text"), 75, f"{at}/text", plain=True)
    yield from _string(button, "action_id", 255, at)
    yield from _string(button, "value", 2000, at)
    yield from _string(button, "url", 3000, at)
    if button.get("style", "primary") not in ("primary", "danger"):
        yield f"{at}/style: primary or danger"
    if "confirm" in button:
        confirm = button["confirm"]
        if set(confirm) - {"style"} != {"title", "text", "confirm", "deny"}:
            yield f"{at}/confirm: takes title, text, confirm and deny"
            return
        for name, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
            yield from _text(confirm[name], most, f"{at}/confirm/{name}", plain=True)


def _input(element: Any, at: str) -> Iterator[str]:
    if not isinstance(element, dict) or element.get("type") != "plain_text_input":
        yield f"{at}: unsupported type"
        return
    yield from _known(element, at)
    yield from _string(element, "action_id", 255, at)
    if not 1 <= element.get("max_length", 3000) <= 3000:
        yield f"{at}/max_length: 1 to 3000"
    if "placeholder" in element:
        yield from _text(element["placeholder"], 150, f"{at}/placeholder", plain=True)


def _text(text: Any, most: int, at: str, *, plain: bool = False) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in ("plain_text", "mrkdwn"):
        yield f"{at}: must be a text object"
        return
    if plain and text["type"] != "plain_text":
        yield f"{at}: must be plain_text"
    yield from _known(text, at)
    said = text.get("text")
    if not isinstance(said, str) or not said.strip():
        yield f"{at}/text: must be more than 0 characters"
    elif length(said) > most:
        yield f"{at}/text: must be less than {most + 1} characters"


def _string(part: dict[str, Any], name: str, most: int, at: str) -> Iterator[str]:
    if name in part and not (isinstance(part[name], str) and 1 <= length(part[name]) <= most):
        yield f"{at}/{name}: must be 1 to {most} characters"


def _count(block: dict[str, Any], most: int, at: str) -> Iterator[str]:
    if not 1 <= len(block.get("elements", [])) <= most:
        yield f"{at}/elements: must be 1 to {most} items"


def _known(part: dict[str, Any], at: str) -> Iterator[str]:
    for name in sorted(set(part) - _KEYS[part["type"]]):
        yield f"{at}: invalid additional property: {name}"


def too_long(message: dict[str, Any]) -> bool:
    """Whether the blocks are longer in all than Slack takes."""
    return len(json.dumps(message.get("blocks", []), ensure_ascii=False)) > MAX_ALL
