"""No page is an orphan, no link leads nowhere, and no page shows a command that is not there."""

import re
import shlex

import pytest
from follow import DOCS

from epilock.cli import reference

ROOT = DOCS.parent
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
BLOCK = re.compile(r"```(?:console|sh)\n(.*?)```", re.DOTALL)
COMMANDS = {tuple(words.split()[1:]): command for words, command in reference.commands()}


def links(page):
    """Return the files that a page links to."""
    found = LINK.findall(page.read_text("utf-8"))
    return {
        (page.parent / link.partition("#")[0]).resolve()
        for link in found
        if not link.startswith(("http", "#", "mailto"))
    }


def test_every_picture_is_shown_by_a_page():
    shown = {link for page in PAGES for link in links(page)}
    pictures = set((DOCS / "images").iterdir())
    assert pictures
    assert pictures - shown == set()


def test_every_page_stands_in_the_index():
    pages = {page for page in DOCS.rglob("*.md") if page != DOCS / "README.md"}
    assert pages - links(DOCS / "README.md") == set()


def test_the_index_is_reached_from_the_front():
    for name in ("README.md", "README.zh.md"):
        assert (DOCS / "README.md") in links(ROOT / name)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    assert [str(target) for target in links(page) if not target.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(page):
    text = "\n".join(BLOCK.findall(page.read_text("utf-8"))).replace("\\\n", " ")
    for line in text.splitlines():
        for part in re.split(r"[|;&]|\$\(", line.split(" #")[0]):
            found = re.match(r"(?:\$ |\w+=)?\s*(?:\S*bin/)?epilock (.*)", part.strip())
            if found:
                check(shlex.split(found[1].replace("'", "").replace('"', "")))


def check(words):
    """Fail unless ``words`` begin with a command and all options are its own."""
    if words == ["--help"]:
        return
    name = next((tuple(words[:n]) for n in (3, 2, 1) if tuple(words[:n]) in COMMANDS), None)
    assert name, words
    command = COMMANDS[name]
    known = {opt for p in command.params for opt in (*p.opts, *p.secondary_opts)} | {"--help"}
    given = {w.partition("=")[0].rstrip(")") for w in words if w.startswith("--")}
    assert given <= known, (words, given - known)


def test_decisions_are_short():
    for page in (DOCS / "decisions").glob("*.md"):
        text = page.read_text("utf-8")
        assert len(text.splitlines()) <= 20, page.name
        assert "**Bad consequences.**" in text, page.name
