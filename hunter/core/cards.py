"""Messages in the formats of chats: Block Kit for Slack, an Adaptive Card for Teams; nothing in them is markup."""

from __future__ import annotations

from typing import Any, Final

from hunter.core.advice import Language
from hunter.core.notice import Item, Notice
from hunter.core.notice_words import TITLES

#: characters of a text in Block Kit; of its 50 blocks a digest never has as many
_SLACK_TEXT: Final = 3000


def slack_message(notice: Notice) -> dict[str, Any]:
    """The body for an incoming webhook of Slack.

    Every text that came from outside is a plain_text object, in which nothing is markup; the
    fallback `text`, which is, has its three special characters escaped.
    """
    blocks = [_slack_text(notice.title)] if len(notice.items) != 1 else []
    blocks += [_slack_item(item, notice.language) for item in notice.items]
    if notice.more:
        blocks.append(_slack_text(notice.more))
    footer = {"type": "plain_text", "text": notice.footer[:_SLACK_TEXT], "emoji": False}
    blocks.append({"type": "context", "elements": [footer]})
    return {"text": slack_escape(notice.title), "blocks": blocks, "unfurl_links": False}


def slack_escape(text: str) -> str:
    """Text where Slack reads markup: no mention and no link comes out of it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_text(text: str) -> dict[str, Any]:
    # a block with no text is refused
    told = text[:_SLACK_TEXT] or " "
    return {"type": "section", "text": {"type": "plain_text", "text": told, "emoji": False}}


def _slack_item(item: Item, language: Language) -> dict[str, Any]:
    block = _slack_text("\n".join([item.sentence, *_told(item)]))
    if item.url:
        label = {"type": "plain_text", "text": TITLES[language]["open"], "emoji": False}
        block["accessory"] = {"type": "button", "text": label, "url": item.url}
    return block


def teams_message(notice: Notice) -> dict[str, Any]:
    """The body for a workflow of Teams ("when a webhook request is received"): one Adaptive Card.

    Text runs know no Markdown, unlike text blocks.
    """
    body: list[dict[str, Any]] = [_run(notice.title, weight="Bolder")]
    for item in notice.items:
        if len(notice.items) > 1:
            body.append(_run(item.sentence))
        body += [_run(line) for line in _told(item)]
    if notice.more:
        body.append(_run(notice.more))
    body.append(_run(notice.footer, subtle=True))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if len(notice.items) == 1 and notice.items[0].url:
        title = TITLES[notice.language]["open"]
        card["actions"] = [{"type": "Action.OpenUrl", "title": title, "url": notice.items[0].url}]
    content_type = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}],
    }


def _told(item: Item) -> list[str]:
    return [f"{line.label}: {line.before} → {line.after}" for line in item.lines]


def _run(text: str, *, weight: str = "Default", subtle: bool = False) -> dict[str, Any]:
    run = {"type": "TextRun", "text": text, "weight": weight, "isSubtle": subtle}
    return {"type": "RichTextBlock", "inlines": [run]}
