"""What the documents name exists: settings, commands, targets, files, exit codes."""

import re
from pathlib import Path

import pytest
import yaml

from hunter.cli.config import markdown
from hunter.cli.main import COMMANDS, Exit
from hunter.config import Config

ROOT = Path(__file__).parents[2]
#: decisions (docs/adr) speak of what is to come, too
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *(page for page in sorted(ROOT.glob("docs/**/*.md")) if page.parent.name != "adr"),
]
NAMES = {row[0] for row in Config().table()}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def test_the_configuration_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert page == markdown(), "run: hunter config --markdown > docs/configuration.md"


@pytest.mark.parametrize(
    "name", ["Dockerfile", "docker-compose.yml", "Makefile", "README.md", "CONTRIBUTING.md"]
)
def test_every_setting_named_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert set(re.findall(r"(?<!TEST_)HUNTER_[A-Z][A-Z_]+[A-Z]", text)) <= NAMES


@each_page
def test_every_command_named_exists(page: Path) -> None:
    named = set(re.findall(r"(?:`|^|\s)hunter ([a-z]+)", "\n".join(_code(page))))

    assert named <= set(COMMANDS)


@each_page
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^|\n)make ([a-z-]+)", "\n".join(_code(page))))

    assert named <= targets


@each_page
def test_every_linked_file_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]

    missing = [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    assert missing == []


def test_the_readme_lists_every_command_and_exit_code() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert {name for name in COMMANDS if f"`hunter {name}" not in text} == set()
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == set(
        map(int, Exit)
    )


def test_compose_starts_every_process_of_the_image() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    commands = [s["command"][0] for s in compose["services"].values() if s.get("build")]

    assert sorted(commands) == ["migrate", "serve", "work"]
    assert set(commands) <= set(COMMANDS)


def test_hunter_accepts_the_settings_of_the_compose_file() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    environ = {
        name: re.sub(r"\$\{(\w+)(?::?[?-][^}]*)?\}", "", value)
        for name, value in compose["services"]["api"]["environment"].items()
    }

    config = Config.from_env(
        environ | {"HUNTER_ADMIN_KEY": "k" * 24, "HUNTER_KEY_PEPPER": "p" * 32}
    )

    assert config.database_url
    assert config.redis_url
    assert config.environment == "production"
    patience_s = int(compose["services"]["api"]["stop_grace_period"].removesuffix("s"))
    assert config.drain_delay_s + config.drain_grace_s < patience_s


def test_the_image_runs_as_nobody_in_particular_and_installs_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()

    assert "USER 10001:10001" in lines
    assert any("--require-hashes" in line for line in lines)
    assert any(line.startswith("HEALTHCHECK") for line in lines)


def _code(page: Path) -> list[str]:
    """Text between backticks and in code blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    return blocks + [
        f"`{span}`"
        for span in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    ]
