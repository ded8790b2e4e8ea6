"""The Python of the page on releasing a table does what it says; its commands are followed with the others."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/howto/release-a-table.md"


def test_the_page_is_followed(tmp_path, monkeypatch, capsys):
    """Block after block, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    known = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(block, known)  # noqa: S102 - our own page
    said = capsys.readouterr().out
    assert "60 records at least" in said
    assert (tmp_path / "release.csv").read_text().startswith('"age","area","illness"')
