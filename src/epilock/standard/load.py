"""From data files to the standard: every value is checked, every reference must lead somewhere.

Rules kept in this file:
  1. Nothing is guessed: an unknown key, a missing language, a dangling reference is an error that names
     file, line and reason.
  2. A category is never both listed and forbidden in one circumstance.
  3. A retention ends in ``destroy`` or ``anonymise`` (PIPL 4, 47, 73); nothing else ends it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from epilock.errors import InputError
from epilock.standard import files
from epilock.standard.compiled import Standard
from epilock.standard.consistency import check_circumstance, check_verified
from epilock.standard.files import DataFile
from epilock.standard.level import LEVELS
from epilock.standard.model import (
    FORMS,
    Allow,
    Category,
    Circumstance,
    Named,
    Purpose,
    Release,
    Retention,
    Source,
)
from epilock.standard.text import Text

VERSION = "2026.1"
FOLDER = Path(__file__).parent / "data"
BASES = frozenset({"consent", "law", "emergency", "guardian"})
ENDS = frozenset({"destroy", "anonymise"})
MASKS = frozenset(
    {"plain", "name", "id", "mobile", "email", "address", "contact", "date", "code", "full"}
)
SCALES = (
    "levels", "event-grades", "warning-colours", "types", "grades", "ranges", "media", "methods",
    "alarms", "duties", "events",
)  # fmt: skip
MOST_DAYS = 36_525  # a hundred years


def load(folder: Path | None = None) -> Standard:
    """Return the standard of ``folder``, or the packaged one, which is read once.

    Raises:
        StandardFileError: The data contradicts itself; the message names file, line and reason.
        TooLargeError: A file has more than a megabyte.
    """
    return _load(FOLDER / VERSION) if folder is None else _read(folder)


def versions() -> tuple[str, ...]:
    """Return the versions that are shipped, oldest first."""
    return tuple(sorted(p.name for p in FOLDER.iterdir() if (p / "version.toml").is_file()))


def load_named(name: str) -> Standard:
    """Return a shipped version such as ``2026.1``, or the standard of a folder.

    Raises:
        InputError: It is neither.
        StandardFileError: The folder's data contradicts itself.
    """
    if name in versions():
        return _load(FOLDER / name)
    if not Path(name).is_dir():
        raise InputError(
            f"{name!r} is neither a folder nor a shipped version; there are {', '.join(versions())}"
        )
    return _read(Path(name))


@cache
def _load(folder: Path) -> Standard:
    return _read(folder)


def _read(folder: Path) -> Standard:
    found = files.read(folder)
    reader = _Reader(found)
    version = found["version"]
    numbers = {
        name: reader.days(version, "", name, version.data.get(name))
        for name in ("step_down_days", "ceiling_days", "end_days")
    }
    reader.known(version, "", version.data, {"version", "title", *numbers})
    number = version.data.get("version")
    if not isinstance(number, str) or not number or not number.isascii() or "+" in number:
        raise version.fail("", "version", "version must be a short ASCII text without +")
    sources = reader.sources()
    scales = reader.scales()
    categories = reader.categories(scales["alarms"])
    purposes = reader.purposes(scales["ranges"])
    circumstances = reader.circumstances(categories, purposes, scales, numbers)
    _check_together(found, sources, scales, categories, purposes, circumstances)
    return Standard(
        version=number, hash_=files.digest(folder), title=reader.text(version, "", version.data, "title"),
        end_days=numbers["end_days"], sources=sources, scales=scales, categories=categories,
        purposes=purposes, circumstances=circumstances,
    )  # fmt: skip


def _check_together(  # noqa: PLR0917 - the tables of one standard
    found: Mapping[str, DataFile],
    sources: Mapping[str, Source],
    scales: Mapping[str, Mapping[str, Named]],
    categories: Mapping[str, Category],
    purposes: Mapping[str, Purpose],
    circumstances: Mapping[str, Circumstance],
) -> None:
    """Check what rows say about each other; see ``consistency``."""
    for name, rows in (("categories", categories), ("purposes", purposes), ("circumstances", circumstances)):  # fmt: skip
        for row in rows.values():
            check_verified(found[name], row.code, row.source, sources, verified=row.verified)
    for scale, named in scales.items():
        for line in named.values():
            table = f"{scale}.{line.code}"
            check_verified(found["scales"], table, line.source, sources, verified=line.verified)
    file = found["circumstances"]
    for where in circumstances.values():
        check_circumstance(
            file, where, categories=categories, purposes=purposes, media=scales["media"]
        )
        for id_, at in where.retentions.items():
            kept = at["N"]
            check_verified(
                file,
                where.code,
                kept.source,
                sources,
                verified=kept.verified,
                key=f"retention.{id_}",
            )


class _Reader:
    """Reads tables of the files and fails with the place of what is wrong."""

    def __init__(self, found: Mapping[str, DataFile]) -> None:
        self.files = found
        self._sources = frozenset(found["sources"].data)

    # -- single values -----------------------------------------------------------------------------

    def known(self, file: DataFile, table: str, row: Any, keys: Iterable[str]) -> dict[str, Any]:
        """Return ``row`` if it is a table with none but ``keys``."""
        if not isinstance(row, dict):
            raise file.fail(table, "", "must be a table")
        for key in row:
            if key not in set(keys):
                raise file.fail(table, key, f"has an unknown key {key!r}")
        return row

    def text(self, file: DataFile, table: str, row: Mapping[str, Any], key: str) -> Text:
        """Return a text with both languages."""
        value = row.get(key)
        if (
            not isinstance(value, dict)
            or set(value) != {"zh", "en"}
            or not all(isinstance(v, str) and v.strip() for v in value.values())
        ):
            raise file.fail(table, key, f"{key} needs a text in zh and in en")
        return Text(value["zh"], value["en"])

    def words(
        self,
        file: DataFile,
        table: str,
        row: Mapping[str, Any],
        key: str,
        among: Iterable[str] | None,
    ) -> tuple[str, ...]:
        """Return a list of words without repetition, each one of ``among``."""
        value = row.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise file.fail(table, key, f"{key} must be a list of words")
        if len(set(value)) != len(value):
            raise file.fail(table, key, f"{key} names one thing twice")
        if among is not None:
            allowed = set(among)
            for word in value:
                if word not in allowed:
                    raise file.fail(table, key, f"{key}: {word!r} is not known")
        return tuple(value)

    def source(self, file: DataFile, table: str, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the source ids of a row, at least one."""
        found = self.words(file, table, row, "source", self._sources)
        if not found:
            raise file.fail(table, "source", "needs a source")
        return found

    def flag(
        self, file: DataFile, table: str, row: Mapping[str, Any], key: str, *, default: bool
    ) -> bool:
        """Return a truth value."""
        value = row.get(key, default)
        if not isinstance(value, bool):
            raise file.fail(table, key, f"{key} must be true or false")
        return value

    def days(self, file: DataFile, table: str, key: str, value: Any) -> int:
        """Return a number of days, 1 to 36,525."""
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_DAYS:
            raise file.fail(table, key, f"{key} must be a number of days, 1 to {MOST_DAYS}")
        return value

    # -- tables ------------------------------------------------------------------------------------

    def sources(self) -> Mapping[str, Source]:
        """Return sources.toml."""
        file = self.files["sources"]
        rows = {}
        for code, row in file.data.items():
            self.known(file, code, row, {"title", "verified"})
            rows[code] = Source(
                code=code, title=self.text(file, code, row, "title"),
                verified=self.flag(file, code, row, "verified", default=True),
            )  # fmt: skip
        return MappingProxyType(rows)

    def scales(self) -> Mapping[str, Mapping[str, Named]]:
        """Return scales.toml."""
        file = self.files["scales"]
        self.known(file, "", file.data, SCALES)
        missing = [name for name in SCALES if name not in file.data]
        if missing:
            raise file.fail("", "", f"has no table {missing[0]}")
        found = {}
        for scale in SCALES:
            rows = {}
            for code, row in self.known(file, scale, file.data[scale], file.data[scale]).items():
                table = f"{scale}.{code}"
                self.known(file, table, row, {"name", "says", "facts", "source", "verified"})
                facts = row.get("facts", {})
                if not isinstance(facts, dict):
                    raise file.fail(table, "facts", "facts must be a table")
                rows[code] = Named(
                    code=code, name=self.text(file, table, row, "name"),
                    says=self.text(file, table, row, "says"), facts=MappingProxyType(facts),
                    source=self.source(file, table, row),
                    verified=self.flag(file, table, row, "verified", default=True),
                )  # fmt: skip
            found[scale] = MappingProxyType(rows)
        if set(found["levels"]) != set(LEVELS):
            raise file.fail("levels.I", "", f"the levels must be {', '.join(LEVELS)}")
        return MappingProxyType(found)

    def categories(self, alarms: Mapping[str, Named]) -> Mapping[str, Category]:
        """Return categories.toml."""
        file = self.files["categories"]
        rows = {}
        keys = {
            "name", "grade", "sensitive", "mask", "why", "necessity", "effect", "stands_for", "alarm",
            "source", "verified",
        }  # fmt: skip
        for code, row in file.data.items():
            self.known(file, code, row, keys)
            sensitive = self.flag(file, code, row, "sensitive", default=False)
            if row.get("grade") not in {1, 2, 3, 4} or isinstance(row["grade"], bool):
                raise file.fail(code, "grade", "grade must be 1, 2, 3 or 4")
            if row.get("mask") not in MASKS:
                raise file.fail(code, "mask", f"mask must be one of {', '.join(sorted(MASKS))}")
            if row.get("alarm") not in alarms:
                raise file.fail(code, "alarm", f"alarm must be one of {', '.join(alarms)}")
            made = Category(
                code=code, name=self.text(file, code, row, "name"), grade=row["grade"],
                sensitive=sensitive, mask=row["mask"], why=self.text(file, code, row, "why"),
                stands_for=self.words(file, code, row, "stands_for", file.data), alarm=row["alarm"],
                source=self.source(file, code, row),
                verified=self.flag(file, code, row, "verified", default=True),
            )  # fmt: skip
            if sensitive:  # PIPL 30: necessity and effect are told
                made = replace(
                    made, necessity=self.text(file, code, row, "necessity"),
                    effect=self.text(file, code, row, "effect"),
                )  # fmt: skip
            rows[code] = made
        return MappingProxyType(rows)

    def purposes(self, ranges: Mapping[str, Named]) -> Mapping[str, Purpose]:
        """Return purposes.toml."""
        file = self.files["purposes"]
        rows = {}
        keys = {"name", "forms", "ranges", "needs", "one_subject", "source", "verified"}
        for code, row in file.data.items():
            self.known(file, code, row, keys)
            forms = self.words(file, code, row, "forms", FORMS)
            if not forms:
                raise file.fail(code, "forms", "a purpose needs a form it may see")
            rows[code] = Purpose(
                code=code, name=self.text(file, code, row, "name"), forms=forms,
                ranges=self.words(file, code, row, "ranges", ranges),
                needs=self.words(file, code, row, "needs", None),
                one_subject=self.flag(file, code, row, "one_subject", default=False),
                source=self.source(file, code, row),
                verified=self.flag(file, code, row, "verified", default=True),
            )  # fmt: skip
        return MappingProxyType(rows)

    def circumstances(
        self,
        categories: Mapping[str, Category],
        purposes: Mapping[str, Purpose],
        scales: Mapping[str, Mapping[str, Named]],
        numbers: Mapping[str, int],
    ) -> Mapping[str, Circumstance]:
        """Return circumstances.toml."""
        file = self.files["circumstances"]
        rows = {}
        keys = {
            "name", "everyday", "note", "basis", "methods", "media", "media_only", "ranges",
            "range_needs", "purposes", "never", "ask", "retention", "step_down_days", "release", "source",
            "verified",
        }  # fmt: skip
        for code, row in file.data.items():
            self.known(file, code, row, keys)
            if not row.get("basis") or not row.get("purposes") or not row.get("media"):
                raise file.fail(code, "", "needs basis, purposes and media")
            never = self._never(file, code, row, categories)
            allows, one_of = self._asks(file, code, row, categories, never)
            source = self.source(file, code, row)
            retentions = self._retentions(file, code, row, allows, source, numbers)
            rows[code] = Circumstance(
                code=code, name=self.text(file, code, row, "name"),
                everyday=self.text(file, code, row, "everyday"),
                note=self.text(file, code, row, "note"),
                basis=self.words(file, code, row, "basis", BASES),
                methods=self._mapping(file, code, row, "methods", scales["methods"], LEVELS.__contains__),
                media=self.words(file, code, row, "media", scales["media"]),
                media_only=self._media_only(file, code, row, categories),
                ranges=self.words(file, code, row, "ranges", scales["ranges"]),
                range_needs=self._mapping(
                    file, code, row, "range_needs", scales["ranges"], purposes.__contains__
                ),
                purposes=self.words(file, code, row, "purposes", purposes), never=never,
                allows=MappingProxyType(allows), one_of=one_of, retentions=retentions,
                step_down_days=self.days(
                    file, code, "step_down_days", row.get("step_down_days", numbers["step_down_days"])
                ),
                release=self._release(file, code, row, scales["duties"]["deidentified"]),
                source=source, verified=self.flag(file, code, row, "verified", default=True),
            )  # fmt: skip
        return MappingProxyType(rows)

    def _release(self, file: DataFile, code: str, row: Mapping[str, Any], duty: Named) -> Release:
        """Return what a release must satisfy: the duty's k, or more where the circumstance says so."""
        given = row.get("release", {})
        least = {"k": int(str(duty.facts["k"])), "l": 1}
        if not isinstance(given, dict) or not set(given) <= set(least):
            raise file.fail(code, "release", "release is a table of k and l")
        found = {**least, **given}
        for name, value in found.items():
            if type(value) is not int or value < least[name]:
                raise file.fail(
                    code, "release", f"release: {name} is a number of {least[name]} or more"
                )
        return Release(k=found["k"], l=found["l"], rule=f"release/{code}", source=duty.source)

    def _mapping(  # noqa: PLR0917 - file and place, then what is read
        self,
        file: DataFile,
        code: str,
        row: Mapping[str, Any],
        key: str,
        among: Mapping[str, Named],
        is_value: Callable[[str], bool],
    ) -> Mapping[str, str]:
        value = row.get(key, {})
        if not isinstance(value, dict):
            raise file.fail(code, key, f"{key} must be a table")
        for name, what in value.items():
            if name not in among or not isinstance(what, str) or not is_value(what):
                raise file.fail(code, key, f"{key}: {name} = {what!r} is not known")
        return MappingProxyType(dict(value))

    def _media_only(
        self, file: DataFile, code: str, row: Mapping[str, Any], categories: Mapping[str, Category]
    ) -> Mapping[str, tuple[str, ...]]:
        value = row.get("media_only", {})
        if not isinstance(value, dict) or not set(value) <= set(row.get("media", [])):
            raise file.fail(code, "media_only", "media_only must name media of this circumstance")
        return MappingProxyType(
            {medium: self.words(file, code, value, medium, categories) for medium in value}
        )

    def _never(
        self, file: DataFile, code: str, row: Mapping[str, Any], categories: Mapping[str, Category]
    ) -> tuple[str, ...]:
        found = self.words(file, code, row, "never", None)
        families = {c.partition(".")[0] + ".*" for c in categories}
        for pattern in found:
            if pattern not in categories and pattern not in families:
                raise file.fail(code, "never", f"never: {pattern!r} is no category or family")
        return found

    def _asks(
        self,
        file: DataFile,
        code: str,
        row: Mapping[str, Any],
        categories: Mapping[str, Category],
        never: tuple[str, ...],
    ) -> tuple[dict[str, Allow], tuple[tuple[str, ...], ...]]:
        table = row.get("ask")
        if not isinstance(table, dict) or not table:
            raise file.fail(
                code, "ask", "asks for nothing at any level; leave the circumstance out"
            )
        allows: dict[str, Allow] = {}
        groups = []
        for level in table:
            if level not in LEVELS or level == "E":
                raise file.fail(code, f"ask.{level}", f"{level!r} is no level that allows anything")
            for item in self.words(file, code, table, level, None):
                optional = item.startswith("[") and item.endswith("]")
                names = tuple((item[1:-1] if optional else item).split("|"))
                for name in names:
                    self._check_ask(file, code, level, name, categories, never, allows)
                    allows[name] = Allow(
                        category=name, level=level, optional=optional, retention="standard"
                    )
                if len(names) > 1:
                    groups.append(names)
        for category in categories.values():
            if category.code not in allows and not _forbids(never, category.code):
                for other in allows.keys() & set(category.stands_for):
                    allows[category.code] = replace(allows[other], category=category.code)
        return allows, tuple(groups)

    def _check_ask(  # noqa: PLR0917 - file and place, then what is read
        self,
        file: DataFile,
        code: str,
        level: str,
        name: str,
        categories: Mapping[str, Category],
        never: tuple[str, ...],
        allows: Mapping[str, Allow],
    ) -> None:
        key = f"ask.{level}"
        if name not in categories:
            raise file.fail(code, key, f"{name!r} is no category")
        if name in allows:
            raise file.fail(code, key, f"{name} is listed at two levels")
        pattern = _forbids(never, name)
        if pattern:
            raise file.fail(code, key, f"{name} is listed and forbidden ({pattern}) at once")

    def _retentions(  # noqa: PLR0917 - file and place, then what is read
        self,
        file: DataFile,
        code: str,
        row: Mapping[str, Any],
        allows: dict[str, Allow],
        source: tuple[str, ...],
        numbers: Mapping[str, int],
    ) -> Mapping[str, Mapping[str, Retention]]:
        table = row.get("retention")
        if not isinstance(table, dict) or "standard" not in table:
            raise file.fail(code, "retention.standard", "needs a retention named `standard`")
        verified = self.flag(file, code, row, "verified", default=True)
        found = {}
        for name, one in table.items():
            key = f"retention.{name}"
            for category in (
                self.words(file, code, one, "categories", allows) if isinstance(one, dict) else ()
            ):
                if allows[category].retention != "standard":
                    raise file.fail(code, key, f"{key}: {category} has another retention already")
                allows[category] = replace(allows[category], retention=name)
            found[name] = MappingProxyType(
                self._by_level(file, code, key, name, one, source, numbers, verified=verified)
            )
        return MappingProxyType(found)

    def _by_level(  # noqa: PLR0917 - file and place, then what is read
        self,
        file: DataFile,
        code: str,
        key: str,
        name: str,
        row: Any,
        source: tuple[str, ...],
        numbers: Mapping[str, int],
        *,
        verified: bool,
    ) -> dict[str, Retention]:
        keys = {
            "days", "days_at", "starts", "ceiling_days", "end", "statutory", "categories", "source",
            "verified",
        }  # fmt: skip
        if not isinstance(row, dict) or not set(row) <= keys:
            raise file.fail(code, key, f"{key} may have {', '.join(sorted(keys))}")
        if row.get("end") not in ENDS:
            raise file.fail(code, key, f"{key}: end must be destroy or anonymise")
        days_at = row.get("days_at", {})
        if not isinstance(days_at, dict) or not set(days_at) <= set(LEVELS):
            raise file.fail(code, key, f"{key}: days_at must name levels")
        starts = row.get("starts", "collection")
        if starts not in self.files["scales"].data["events"]:
            raise file.fail(code, key, f"{key}: starts: {starts!r} is no event")
        if "days" not in row and (days_at or starts != "collection"):
            raise file.fail(code, key, f"{key}: needs days")
        base = self.days(file, code, key, row["days"]) if "days" in row else None
        ceiling = self.days(file, code, key, row.get("ceiling_days", numbers["ceiling_days"]))
        return {
            level: Retention(
                id=name,
                days=self.days(file, code, key, days_at[level]) if level in days_at else base,
                starts=starts, ceiling_days=ceiling, end=row["end"],
                statutory=self.flag(file, code, row, "statutory", default=False),
                rule=f"retain/{code}/{name}" + (f"/{level}" if level in days_at else ""),
                source=self.words(file, code, row, "source", self._sources) or source,
                verified=self.flag(file, code, row, "verified", default=verified),
            )
            for level in LEVELS
        }  # fmt: skip


def _forbids(never: Iterable[str], category: str) -> str:
    """Return the pattern of ``never`` that forbids ``category``, or ""."""
    family = category.partition(".")[0] + ".*"
    return next((p for p in never if p in {category, family}), "")
