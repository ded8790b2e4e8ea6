"""What ARCHITECTURE says of the code is so."""

import re

from follow import DOCS

ROOT = DOCS.parent
SOURCE = ROOT / "src/epilock"
TEXT = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
EDGES = {"cli", "web", "demo"}


def paragraphs():
    """Return (places of a paragraph's head, names in its body) of the codemap."""
    codemap = TEXT.split("## 2. Codemap")[1].split("## 3.")[0]
    found = re.findall(r"^\*\*(.*?)\.\*\* (.*)$", codemap, re.MULTILINE)
    return [
        (re.findall(r"`([\w./]+)`", head), re.findall(r"`([\w./]+)`", body)) for head, body in found
    ]


def test_every_package_and_module_of_the_top_is_told():
    told = {place for heads, _ in paragraphs() for place in heads}
    there = {f"{p.parent.name}/" for p in SOURCE.glob("*/__init__.py")}
    there |= {p.name for p in SOURCE.glob("*.py") if not p.name.startswith("__")}
    assert told == there - {"migrations/"}


def test_everything_told_is_there():
    for heads, names in paragraphs():
        for name in names:
            if "." in name or heads[0].endswith(".py"):
                continue
            place = SOURCE / heads[0].rstrip("/") / name.rstrip("/")
            assert place.is_dir() or place.with_suffix(".py").is_file(), (heads[0], name)


def test_no_clock_and_no_environment_below_the_edges():
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).parts[0] not in EDGES:
            found = re.search(
                r"datetime\.now\(|\btime\.time\(|os\.environ", path.read_text("utf-8")
            )
            assert found is None, path
