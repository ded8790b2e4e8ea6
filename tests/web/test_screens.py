"""The pictures that people look at are made by one command."""

import subprocess
import sys
from pathlib import Path

import pytest
from town_server import CHROMIUM

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
def test_one_page_in_both_languages_sizes_and_themes(tmp_path):
    told = ["make", "-o", "install", "screens", f"SCREENS={tmp_path}", "PAGES=left"]
    done = subprocess.run(
        [*told, f"BIN={Path(sys.executable).parent}"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        f"left-{size}-{language}-{scheme}.png"
        for size in (360, 1280)
        for language in ("zh", "en")
        for scheme in ("light", "dark")
    )
