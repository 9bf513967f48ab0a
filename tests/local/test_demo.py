"""The parts of the demonstration: its folder, its settings, its name server."""

from __future__ import annotations

from pathlib import Path

import pytest

from hunter.core.errors import Unavailable
from hunter.local.demo import demo_environ, demo_folder, name_server, write_demo


def test_the_demonstration_takes_none_of_the_users_settings(tmp_path: Path) -> None:
    environ = {
        "PATH": "/bin",
        "HUNTER_DATABASE_URL": "postgresql://precious",
        "HUNTER_PORT": "8000",
    }

    settings = demo_environ(environ, tmp_path, "127.0.0.1:53")

    assert "HUNTER_DATABASE_URL" not in settings
    assert settings["HUNTER_PORT"] != "8000"
    assert settings["PATH"] == "/bin"
    assert settings["HUNTER_DNS_SERVERS"] == "127.0.0.1:53"


def test_a_named_folder_stays(tmp_path: Path) -> None:
    with demo_folder(tmp_path / "demo") as folder:
        write_demo(folder, companies=20, rows=30)

    assert {p.name for p in folder.iterdir()} == {"zones.txt", "companies.csv"}


async def test_a_name_server_that_cannot_start_is_reported(tmp_path: Path) -> None:
    (tmp_path / "zones.txt").write_text("this is no zone\n")

    with pytest.raises(Unavailable, match="the name server did not start: nameserver: zone line 1"):
        async with name_server(tmp_path / "zones.txt", tmp_path / "log"):
            pass
