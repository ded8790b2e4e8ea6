"""SoftHSM 2 for a test: a token in a folder of its own, made by its own tools."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
LABEL, PIN = "epilock-test", "271828"


class SoftHsm:
    """One token.

    Args:
        folder: Where the token and its PIN lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = next((m for m in MODULES if Path(m).exists()), None)
        if self.module is None or shutil.which("softhsm2-util") is None:
            pytest.skip("SoftHSM 2 is not installed")
        (folder / "tokens").mkdir(parents=True)
        self.config = folder / "softhsm2.conf"
        self.config.write_text(
            f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.pin = folder / "pin"
        self.pin.touch(0o600)
        self.pin.write_text(f"{PIN}\n")
        self._run("--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "161803")

    def address(self, label: str = "root", *, epochs: bool = False) -> str:
        """Return the address of a root key."""
        query = f"module-path={self.module}&pin-source=file:{self.pin}"
        return f"pkcs11:token={LABEL};object={label}?{query}" + "&epoch-keys=token" * epochs

    def _run(self, *words: str) -> None:
        subprocess.run(
            ["softhsm2-util", *words], check=True, capture_output=True,
            env={**os.environ, "SOFTHSM2_CONF": str(self.config)},
        )  # fmt: skip
