"""docs/ARCHITECTURE.md shows the tree as it is; `python tests/docs/test_architecture.py` writes it anew."""

import ast
import configparser
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "ARCHITECTURE.md"
ORDER = (
    "core", "config.py", "knowledge", "ops", "resolver", "store", "queue", "outbound", "pipeline", "web", "worker",
    "local", "cli",
)  # fmt: skip
BEGIN, END = (
    "<!-- tree: python tests/docs/test_architecture.py -->\n```\n",
    "```\n<!-- end of tree -->\n",
)


def caption(module: Path) -> str:
    """The first sentence of a module, on one line."""
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split()).removesuffix(".")


def tree() -> str:
    """Every package with its modules, in the order of the layers."""
    package = ROOT / "hunter"
    lines = ["hunter/"]
    for name in ORDER:
        path = package / name
        if path.is_file():
            lines.append(f"  {name:<22}{caption(path)}")
            continue
        lines.append(f"  {name + '/':<22}{caption(path / '__init__.py')}")
        modules = [module for module in sorted(path.glob("*.py")) if module.name != "__init__.py"]
        lines += [f"    {module.name:<20}{caption(module)}" for module in modules]
    return "\n".join(lines) + "\n"


def written() -> str:
    """The tree that the page shows."""
    return PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


def test_the_page_shows_the_tree_as_it_is() -> None:
    assert written() == tree(), "run: python tests/docs/test_architecture.py"


def test_every_module_says_in_one_sentence_what_it_is() -> None:
    silent = [str(p.relative_to(ROOT)) for p in (ROOT / "hunter").rglob("*.py") if not caption(p)]

    assert silent == []


def test_the_import_line_is_the_one_the_linter_holds() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    layers = settings["importlinter:contract:layers"]["layers"].split("\n")
    line = " → ".join(f"({layer})" if "|" in layer else layer for layer in layers if layer)

    assert line in PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + tree() + END + rest.split(END)[1], encoding="utf-8")
