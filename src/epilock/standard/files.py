"""The data files of one version of the standard: read, bounded, with the line of each key for errors."""

import re
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from epilock.errors import StandardFileError, TooLargeError

NAMES = ("categories", "circumstances", "purposes", "scales", "sources", "version")
MOST_BYTES = 1 << 20  # of one file
_HEADER = re.compile(r"\s*\[([^\]]+)\]")
_AT = re.compile(r" ?\(at (?:line (\d+), column \d+|end of document)\)")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\"]+)\s*=")


class DataFile:
    """One file: its tables, and where each begins.

    Attributes:
        name: Such as ``circumstances.toml``.
        data: What it states.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        if len(content) > MOST_BYTES:
            raise TooLargeError(f"{name}: a file of the standard has at most {MOST_BYTES} bytes")
        try:
            self._text = content.decode("utf-8")
            self.data: dict[str, Any] = tomllib.loads(self._text)
        except UnicodeDecodeError:
            raise StandardFileError(f"{name}:1: the file is not UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            at = _AT.search(str(error))
            line = int(at[1]) if at else self._text.count("\n") + 1
            reason = _AT.sub("", str(error))
            raise StandardFileError(f"{name}:{line}: not TOML: {reason}") from None
        except RecursionError:
            raise StandardFileError(f"{name}:1: not TOML: nested too deep") from None

    def line(self, table: str, key: str = "") -> int:
        """Return the line (from 1) where ``key`` of ``table`` stands, or the table's own line."""
        inside = table == ""
        found = 1
        for number, text in enumerate(self._text.splitlines(), 1):
            header = _HEADER.match(text)
            if header:
                inside = header.group(1).replace('"', "") == table
                if inside:
                    found = number
                continue
            name = _KEY.match(text)
            if inside and name and key and name.group(1).replace('"', "") in {key, f"{key}."}:
                return number
        return found

    def fail(self, table: str, key: str, reason: str) -> StandardFileError:
        """Return the error that names file, line, table and reason."""
        return StandardFileError(f"{self.name}:{self.line(table, key)}: [{table}] {reason}")


def read(folder: Path) -> Mapping[str, DataFile]:
    """Return the data files of ``folder`` by name without ending.

    Raises:
        StandardFileError: A file is missing or is not TOML in UTF-8; the message names it.
        TooLargeError: A file has more than a megabyte.
    """
    files = {}
    for name in NAMES:
        path = folder / f"{name}.toml"
        if not path.is_file():
            raise StandardFileError(f"{name}.toml: missing; a standard has {', '.join(NAMES)}")
        with path.open("rb") as source:
            files[name] = DataFile(path.name, source.read(MOST_BYTES + 1))
    return files


def digest(folder: Path) -> str:
    """Return the SHA-256 (hex) of a version: each name, its length and its bytes, in order of name."""
    total = sha256()
    for name in sorted(NAMES):
        content = (folder / f"{name}.toml").read_bytes()
        total.update(f"{name}.toml {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()
