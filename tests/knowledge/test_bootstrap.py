"""The list of RDAP servers: as shipped, and replaced by a newer one only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hunter.core.errors import InvalidInput, Misconfigured
from hunter.knowledge.bootstrap import REFRESHED, load_bootstrap, replace_bootstrap


def newer(shipped: int = 1200, **changes: Any) -> bytes:
    """A list of so many domains, published long after the shipped one."""
    names = ["com", *(f"tld{number}" for number in range(shipped - 1))]
    document = {
        "version": "1.0",
        "publication": "2099-01-01T00:00:00Z",
        "services": [[names, ["https://rdap.test/"]]],
    }
    return json.dumps(document | changes).encode()


def test_the_shipped_list_knows_the_great_registries(tmp_path: Path) -> None:
    shipped = load_bootstrap(tmp_path)

    assert shipped.fault == ""
    assert shipped.ignored == ()
    assert shipped.publication >= "2026-07-23"
    assert len(shipped.servers) >= 1000
    assert shipped.servers_for("contoso.com") == ("https://rdap.verisign.com/com/v1/",)
    # the registry of Turkey has no RDAP service in IANA's list
    assert shipped.servers_for("contoso.com.tr") == ()


def test_a_newer_list_is_used_from_then_on(tmp_path: Path) -> None:
    folder = tmp_path / "not there yet"

    stored = replace_bootstrap(folder, newer())

    assert load_bootstrap(folder) == stored
    assert stored.servers_for("contoso.com") == ("https://rdap.test/",)
    assert [path.name for path in folder.iterdir()] == [REFRESHED]


def test_a_list_older_than_the_shipped_one_is_not_used(tmp_path: Path) -> None:
    (tmp_path / REFRESHED).write_bytes(newer(publication="2020-01-01T00:00:00Z"))

    assert load_bootstrap(tmp_path).publication >= "2026-07-23"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>Sign in to this network</html>", "not a JSON object"),
        (b"", "not a JSON object"),
        (newer(services=[]), "no services"),
        (newer(publication="2020-01-01T00:00:00Z"), "published 2020-01-01"),
        (newer(shipped=3), "names 3 domains"),
    ],
)
def test_a_list_that_is_not_fit_changes_nothing(data: bytes, why: str, tmp_path: Path) -> None:
    replace_bootstrap(tmp_path, newer(publication="2098-01-01T00:00:00Z"))
    before = (tmp_path / REFRESHED).read_bytes()

    with pytest.raises(InvalidInput, match=why):
        replace_bootstrap(tmp_path, data)

    assert (tmp_path / REFRESHED).read_bytes() == before


def test_a_list_gone_bad_is_named_and_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / REFRESHED).write_bytes(b"{")

    with pytest.raises(Misconfigured, match="hunter rdap refresh"):
        load_bootstrap(tmp_path)
    replace_bootstrap(tmp_path, newer())
    assert load_bootstrap(tmp_path).publication.startswith("2099")


def test_a_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / REFRESHED).mkdir()

    with pytest.raises(Misconfigured, match=REFRESHED):
        load_bootstrap(tmp_path)


def test_a_list_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / REFRESHED).mkdir()

    with pytest.raises(OSError, match="directory"):
        replace_bootstrap(tmp_path, newer())
    assert [path.name for path in tmp_path.iterdir()] == [REFRESHED]
