"""Settings: one place where the environment is read; each has a default that is safe on one machine.

| variable | meaning | default |
|---|---|---|
| ``EPILOCK_HOME`` | folder of databases, keys and slots (mode 0700) | ``./epilock-data`` |
| ``EPILOCK_DATABASE`` | URL of the main database | SQLite in the home |
| ``EPILOCK_KEY_DATABASE`` | URL of the key store's database | another SQLite file in the home |
| ``EPILOCK_ROOT_KEY`` | file of the root key (mode 0600) | ``root.key`` in the home |
| ``EPILOCK_SLOTS`` | folder of the epoch slots (replicated, never archived) | ``slots`` in the home |
| ``EPILOCK_ORIGIN`` | origin line of the log, when an installation is made; it never changes | ``localhost/epilock`` |
| ``EPILOCK_URL`` | public address of the pages, for QR codes | ``http://127.0.0.1:8600`` |
| ``EPILOCK_COOLING_HOURS`` | hours between approval and execution of a destruction order | ``24`` |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from epilock.errors import InputError

VARIABLES = (
    "EPILOCK_HOME",
    "EPILOCK_DATABASE",
    "EPILOCK_KEY_DATABASE",
    "EPILOCK_ROOT_KEY",
    "EPILOCK_SLOTS",
    "EPILOCK_ORIGIN",
    "EPILOCK_URL",
    "EPILOCK_COOLING_HOURS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one installation is told; see the module for each meaning."""

    home: Path
    database: str
    key_database: str
    root_key: Path
    slots: Path
    origin: str | None
    url: str
    cooling: timedelta

    @property
    def secure_cookies(self) -> bool:
        """Whether the pages are served over TLS, so that cookies may insist on it."""
        return self.url.startswith("https://")


def read(environ: Mapping[str, str], *, home: Path | None = None) -> Settings:
    """Return the settings that ``environ`` gives; ``home`` (a command's option) goes before it.

    Raises:
        InputError: A variable with the prefix is unknown, or has no usable value.
    """
    for name in environ:
        if name.startswith("EPILOCK_") and name not in VARIABLES:
            raise InputError(f"{name} is no setting; the settings are {', '.join(VARIABLES)}")
    folder = home or Path(environ.get("EPILOCK_HOME", "epilock-data"))
    hours = environ.get("EPILOCK_COOLING_HOURS", "24")
    if not hours.isascii() or not hours.isdigit():
        raise InputError("EPILOCK_COOLING_HOURS must be a whole number of hours, such as 24")
    url = environ.get("EPILOCK_URL", "http://127.0.0.1:8600").rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise InputError("EPILOCK_URL must begin with http:// or https://")
    return Settings(
        home=folder,
        database=_database(environ, "EPILOCK_DATABASE", f"sqlite:///{folder}/epilock.sqlite"),
        key_database=_database(environ, "EPILOCK_KEY_DATABASE", f"sqlite:///{folder}/keys.sqlite"),
        root_key=Path(environ.get("EPILOCK_ROOT_KEY", str(folder / "root.key"))),
        slots=Path(environ.get("EPILOCK_SLOTS", str(folder / "slots"))),
        origin=environ.get("EPILOCK_ORIGIN"),
        url=url,
        cooling=timedelta(hours=int(hours)),
    )


def _database(environ: Mapping[str, str], name: str, default: str) -> str:
    """Return the URL of a database; it may hold a password, so no error repeats it."""
    given = environ.get(name, default)
    try:
        driver = make_url(given).drivername
    except ArgumentError:
        driver = ""
    if driver not in {"sqlite", "postgresql+psycopg"}:
        raise InputError(
            f"{name} must be sqlite:///PATH or postgresql+psycopg://USER@HOST:PORT/DATABASE"
        )
    return given
