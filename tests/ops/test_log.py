"""Logging: formats, levels, and nothing personal in any line."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hunter.config import Config
from hunter.ops.log import configure_logging, scrub, scrub_text

CANARIES = (
    "ayse.yilmaz@firma.com.tr",
    "Firma Anonim",
    "s3cr3t-admin-key",
    "hunter2pass",
    "+90 555 000 00 00",
)


@pytest.fixture
def production() -> Iterator[io.StringIO]:
    root, disabled = logging.getLogger(), logging.getLogger("aiohttp.access").disabled
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(Config(environment="production", log_level="info"), stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level
    logging.getLogger("aiohttp.access").disabled = disabled


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_production_writes_one_json_object_a_line_with_an_upper_case_level(
    production: io.StringIO,
) -> None:
    structlog.get_logger().warning("scan finished", domain="firma.com.tr", score=61)

    (line,) = _lines(production)
    assert line["level"] == "WARNING"
    assert line["event"] == "scan finished"
    assert (line["domain"], line["score"]) == ("firma.com.tr", 61)
    assert line["timestamp"].endswith("Z")


def test_lines_of_other_libraries_get_the_same_form(production: io.StringIO) -> None:
    logging.getLogger("asyncpg").error("lost %s", "postgresql://u:hunter2pass@db/hunter")

    (line,) = _lines(production)
    assert line["level"] == "ERROR"
    assert line["event"] == "lost postgresql://***@db/hunter"


def test_a_key_is_hidden_wherever_it_stands(production: io.StringIO) -> None:
    secret = "0f" * 32
    structlog.get_logger().info("key failed", note=f"of hk_abcdefghij234567_{secret} and more")

    assert secret not in production.getvalue()
    assert "hk_***" in production.getvalue()


def test_debug_is_not_written_at_level_info(production: io.StringIO) -> None:
    structlog.get_logger().debug("question sent")

    assert production.getvalue() == ""


def test_development_is_readable_and_just_as_silent_about_people() -> None:
    stream = io.StringIO()
    configure_logging(Config(), stream)
    try:
        structlog.get_logger().info("file read", company_name="Firma Anonim", rows=3)
    finally:
        structlog.reset_defaults()

    assert "file read" in stream.getvalue()
    assert "rows=3" in stream.getvalue()
    assert "Firma Anonim" not in stream.getvalue()


def test_no_canary_gets_through_by_key_pattern_depth_or_traceback(production: io.StringIO) -> None:
    log = structlog.get_logger()
    log.info("row read", email=CANARIES[0], company_name=CANARIES[1], phone=CANARIES[4])
    log.info("row read", detail={"rows": [{"Company-Name": CANARIES[1], "x": CANARIES[0]}]})
    log.info(f"mail to {CANARIES[0]} at /leads?email={CANARIES[0]}")
    log.info("asked", headers={"Authorization": f"Bearer {CANARIES[2]}"})
    log.info("asked", note=f"Authorization: Bearer {CANARIES[2]}", other=f"api_key={CANARIES[2]}")
    log.info("opened", url=f"redis://:{CANARIES[3]}@cache:6379/0")
    log.info("odd", value=ValueError(CANARIES[0]), raw=CANARIES[0].encode())
    structlog.contextvars.bind_contextvars(contact=CANARIES[0])
    try:
        int(f"row of {CANARIES[0]} at postgresql://h:{CANARIES[3]}@db/x")
    except ValueError:
        log.exception("row failed")
    finally:
        structlog.contextvars.clear_contextvars()

    written = production.getvalue()
    for canary in CANARIES:
        assert canary not in written
    assert "ValueError" in written
    assert "[email]" in written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("firma.com.tr", "firma.com.tr"),
        ("contoso.com MX timeout", "contoso.com MX timeout"),
        ("why?", "why?"),
        ("GET /api/v1/leads?email=x", "GET /api/v1/leads?***"),
        ("<ali@firma.com.tr>", "<[email]>"),
    ],
)
def test_text_keeps_what_may_be_logged(text: str, expected: str) -> None:
    assert scrub_text(text) == expected


def test_numbers_and_nothing_stay_as_they_are() -> None:
    assert scrub({"a": 1, "b": 2.5, "c": None, "d": True}) == {
        "a": 1,
        "b": 2.5,
        "c": None,
        "d": True,
    }


def test_a_value_without_end_is_cut() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert "…" in repr(scrub(endless))
