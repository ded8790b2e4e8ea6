"""The page on releasing a table does what it says."""

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
    assert "release/epi-investigation 50 3" in said
    assert "60 records at least" in said
    assert "refused beside release 1" in said
    assert "are 30 where 50 are asked" in said
    assert (tmp_path / "release.csv").read_text().startswith('"age","area","illness"')
