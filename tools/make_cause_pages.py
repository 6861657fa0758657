"""Write docs/causes/ from the docstrings of the rules; with --check only say whether it is up to date (exit 1 if not)."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analyzer.diagnosis import registry  # noqa: E402 - run from a checkout

FOLDER = ROOT / "docs" / "causes"
NOTE = "<!-- Made by tools/make_cause_pages.py from {source}: edit that. -->"
CONFIDENCE = (
    "`certain` is proved by bytes on the wire, `likely` fits the stage, the alert and the habits of the stack with the "
    "look-alikes excluded, `possible` is contradicted by nothing."
)


def make_pages() -> dict[Path, str]:
    """Every page by path, the index among them."""
    pages = {}
    families: dict[str, list[registry.Page]] = {}
    for cause in registry.load_rules():
        page = registry.read_page(cause)
        families.setdefault(page.family, []).append(page)
        pages[FOLDER / f"{cause}.md"] = lay_out_page(page)
    lines = [NOTE.format(source="the rules in analyzer/diagnosis/rules/"), "", "# Causes", ""]
    lines += ["What `handshake` can say about a handshake. The names are public: they do not change and are not used again.", ""]
    lines += [CONFIDENCE, ""]
    for family in sorted(families, key=lambda name: (name == "posture", name)):
        lines += [f"## {family.capitalize()}", "", "| cause | what it says |", "|---|---|"]
        lines += [f"| [`{page.cause}`]({page.cause}.md) | {page.title} |" for page in sorted(families[family], key=lambda page: page.cause)]
        lines.append("")
    pages[FOLDER / "README.md"] = "\n".join(lines)
    return pages


def lay_out_page(page: registry.Page) -> str:
    """One page as Markdown."""
    rule = registry.find_rule(page.cause)
    source = f"analyzer/diagnosis/rules/{page.family.replace(' ', '_')}/{page.cause.replace('-', '_')}.py"
    lines = [NOTE.format(source=source), "", f"# {page.cause}", "", f"**{page.title}**", ""]
    for heading, text in (("Seen", page.seen), ("Means", page.means), ("Remedy", page.remedy)):
        lines += [f"## {heading}", "", escape(text), ""]
    lines += ["## Confirm", "", *lay_out_commands(page.confirm), ""]
    general = [cause for cause in rule.explains if cause in registry.load_rules()]
    if general:
        lines += ["Explains away: " + ", ".join(f"[`{cause}`]({cause}.md)" for cause in general) + ".", ""]
    return "\n".join(lines).rstrip() + "\n"


def lay_out_commands(text: str) -> list[str]:
    """Prose as it is, commands in fenced blocks."""
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        command = line.startswith("$ ")
        if command != fenced:
            lines += ["```sh"] if command else ["```", ""]
            fenced = command
        lines.append(line.removeprefix("$ ") if command else escape(line))
    return [*lines, "```"] if fenced else lines


def escape(text: str) -> str:
    """Characters that Markdown would take for markup."""
    for character in "\\`*_<>|":
        text = text.replace(character, "\\" + character)
    return text


def main() -> int:
    pages = make_pages()
    there = set(FOLDER.glob("*.md"))
    stale = [path for path, text in pages.items() if path not in there or path.read_text() != text]
    gone = sorted(there - set(pages))
    if "--check" in sys.argv[1:]:
        for path in [*stale, *gone]:
            print(f"not up to date: {path.relative_to(ROOT)}")
        return 1 if stale or gone else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(pages[path])
    for path in gone:
        path.unlink()
    print(f"{len(pages)} pages, {len(stale)} written, {len(gone)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
