"""The register of releases: a directory of files that never leaves the custodian, one folder a data set.

A later release of a data set is held against all that are registered here (``intersection``). In a folder:
``key`` (32 random octets), and for each release ``0001.json`` and, with the records' ids, ``0001.parquet``:
which record was in which class, ids as keyed hashes, sensitive values as numbers that only tell them apart.

Rules kept in this file:
  1. Files are readable by their owner only (0600), in folders of 0700, whole or not at all.
  2. A release is announced before its file gets its name, and completed with the file's hash after it. A
     crash between the two leaves an announced release that perhaps never left: later ones are held against it.
  3. Who reviews holds the data set's lock from before the review until the file has left.
  4. What is missing, altered or of another kind is an error: nothing is passed over.
"""

import fcntl
import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Meta

from epilock import durable
from epilock.deidentify.leaving.intersection import Earlier
from epilock.deidentify.leaving.review import Reviewed
from epilock.errors import FileFormatError, InputError, IntegrityError, NotFoundError, TamperedError

FORMAT = "epilock/registered-release/v1"
MOST_BYTES = 1 << 20
PRIVATE = 0o600
KEY_BYTES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SHA256 = "^[0-9a-f]{64}$(?!\\n)"

_Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Hash = Annotated[str, Meta(pattern=_SHA256)]


class Registered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One release as it is registered.

    Attributes:
        format: Name of the format.
        number: Its number in the data set, from 1.
        at: When it was announced.
        rule: The rule by which it was reviewed, ``""`` if it was the caller's own.
        k, l: What the rule asked.
        smallest: Records of the smallest group that it tells apart, beside the earlier ones.
        fewest: Fewest different sensitive values in such a group, or null.
        rows, suppressed, classes: Of the release.
        earlier: How many earlier releases it was held against.
        quasi_identifiers: Its quasi-identifiers.
        levels: Level of each, or null if it is not the same for all rows.
        assignment: SHA-256 of the file of records and classes.
        sha256: Of the released file; null until it has its name.
    """

    format: str
    number: Annotated[int, Meta(ge=1, le=9999)]
    at: str
    rule: Annotated[str, Meta(max_length=200)]
    k: _Count
    l: _Count  # noqa: E741 - the model's own letter
    smallest: _Count
    fewest: _Count | None
    rows: _Count
    suppressed: _Count
    classes: _Count
    earlier: _Count
    quasi_identifiers: tuple[str, ...]
    levels: Mapping[str, int] | None
    assignment: _Hash
    sha256: _Hash | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The releases of one data set, locked for whoever holds this.

    Attributes:
        folder: Where they are.
        key: Under which ids are hashed.
    """

    folder: Path
    key: bytes

    def releases(self) -> tuple[Registered, ...]:
        """Return what is registered, the first first.

        Raises:
            IntegrityError: One is missing, or a file holds another.
            FileFormatError: A file is none of a release.
        """
        found = [read(path) for path in sorted(self.folder.glob("[0-9]*.json"))]
        numbers = [each.number for each in found]
        if numbers != list(range(1, len(found) + 1)):
            raise IntegrityError(
                f"the register {self.folder.name} has no release {_gap(numbers)}: put its files back, for later"
                " releases must be held against it"
            )
        return tuple(found)

    def earlier(self) -> tuple[Earlier, ...]:
        """Return the releases with their records and classes.

        Raises:
            IntegrityError: As ``releases``; or a file of records is missing.
            TamperedError: A file of records is not the one that was registered.
        """
        return tuple(
            Earlier(
                name=f"release {each.number}", assignment=self._assignment(each), k=each.k, l=each.l
            )
            for each in self.releases()
        )

    def announce(
        self,
        reviewed: Reviewed,
        assignment: pa.Table,
        *,
        quasi: Sequence[str],
        levels: Mapping[str, int] | None,
        suppressed: int,
        now: datetime,
    ) -> Registered:
        """Register a release that passed and is about to leave; see rule 2."""
        number = len(self.releases()) + 1
        stream = io.BytesIO()
        others = [name for name in assignment.column_names if name != "record"]
        pq.write_table(assignment, stream, compression="zstd", use_dictionary=others)
        data = stream.getvalue()
        said = Registered(
            format=FORMAT, number=number, at=now.isoformat(timespec="seconds"), rule=reviewed.rule.rule,
            k=reviewed.rule.k, l=reviewed.rule.l, smallest=reviewed.smallest,
            fewest=reviewed.least_diverse, rows=reviewed.measures.rows, suppressed=suppressed,
            classes=reviewed.measures.classes, earlier=number - 1, quasi_identifiers=tuple(quasi),
            levels=levels, assignment=hashlib.sha256(data).hexdigest(), sha256=None,
        )  # fmt: skip
        # The records first: what is listed has its records, whatever moment the machine stops.
        durable.replace(self._path(number, "parquet"), data, mode=PRIVATE)
        self._write(said)
        return said

    def complete(self, number: int, sha256: str) -> Registered:
        """Note the hash of the released file, which has its name now.

        Raises:
            NotFoundError: There is no such release.
        """
        path = self._path(number, "json")
        if not path.exists():
            raise NotFoundError(f"the register {self.folder.name} has no release {number}")
        said = msgspec.structs.replace(read(path), sha256=sha256)
        self._write(said)
        return said

    def _write(self, said: Registered) -> None:
        data = msgspec.json.format(msgspec.json.encode(said), indent=1)
        durable.replace(self._path(said.number, "json"), data + b"\n", mode=PRIVATE)

    def _path(self, number: int, suffix: str) -> Path:
        return self.folder / f"{number:04}.{suffix}"

    def _assignment(self, said: Registered) -> pa.Table:
        path = self._path(said.number, "parquet")
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise IntegrityError(
                f"{self.folder.name}/{path.name} is missing: put it back, for no later release can be held"
                " against this one without it"
            ) from None
        with file:
            if hashlib.file_digest(file, "sha256").hexdigest() != said.assignment:
                raise TamperedError(
                    f"{self.folder.name}/{path.name} is not the file that was registered"
                )
            return pq.read_table(file)


@contextmanager
def opened(register: Path, dataset: str) -> Iterator[Shelf]:
    """Give the releases of ``dataset`` in the directory ``register``, made if need be, and locked.

    Raises:
        InputError: The name is none; the directory can't be made or read.
        IntegrityError: There are releases, and no key.
    """
    if not _NAME.fullmatch(dataset):
        raise InputError(
            "a data set's name (dataset) has 1 to 63 small letters, digits and hyphens, and begins with none"
        )
    folder = register / dataset
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, PRIVATE)
    except OSError as error:
        raise InputError(f"the register {register} can't be used: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # ends with the process, whatever becomes of it
        yield Shelf(folder, _key(folder))
    finally:
        os.close(handle)


def read(path: Path) -> Registered:
    """Return the release that the file ``path`` states.

    Raises:
        FileFormatError: It is none, or larger than 1 MiB.
        IntegrityError: It holds another release than its name says.
    """
    with path.open("rb") as stream:
        said = parse(stream.read(MOST_BYTES + 1), path.name)
    if f"{said.number:04}.json" != path.name:
        raise IntegrityError(
            f"{path.name} holds release {said.number}: a file was put in another's place"
        )
    return said


def parse(data: bytes, named: str) -> Registered:
    """Return the release that ``data`` states; raises ``FileFormatError`` if that is none."""
    if len(data) > MOST_BYTES:
        raise FileFormatError(f"{named} is larger than 1 MiB: no registered release")
    try:
        said = msgspec.json.decode(data, type=Registered)
        instant = datetime.fromisoformat(said.at)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise FileFormatError(f"{named} is no registered release of format {FORMAT}") from None
    if said.format != FORMAT or instant.tzinfo is None:
        raise FileFormatError(f"{named} is no registered release of format {FORMAT}")
    return said


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _key(folder: Path) -> bytes:
    path = folder / "key"
    if path.exists():
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise IntegrityError(
                f"{folder.name}/key is no key of {KEY_BYTES} octets; put the right one back"
            )
        return key
    if any(folder.glob("[0-9]*.json")):
        raise IntegrityError(
            f"{folder.name}/key is missing: put it back, for without it no record is found in the earlier releases"
        )
    key = os.urandom(KEY_BYTES)
    durable.replace(path, key, mode=PRIVATE)
    return key


def _gap(numbers: Sequence[int]) -> int:
    return next(n for n in range(1, len(numbers) + 2) if n not in numbers)
