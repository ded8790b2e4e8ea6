"""Pages are followed with one program that starts at once (``forker``)."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"


@pytest.fixture(scope="session")
def forker():
    """Socket of a running forker."""
    with tempfile.TemporaryDirectory(prefix="epilock-docs-") as folder:
        path = Path(folder) / "forker"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EPILOCK_")}
        with subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forker.py"), path],
            env={**kept, "PYTHONPATH": str(SOURCES), "PYTHONUTF8": "1"},
        ) as server:
            while not path.exists():
                assert server.poll() is None
                time.sleep(0.05)
            yield path
            server.terminate()
