"""Which kind of table a file is, told from its first bytes, and the file's own identity.

Rules kept in this file:
  1. A file is known by a keyed hash of its bytes: whoever reads database or ledger can't compare it with
     a list he has, and the same file is known again.
"""

import hashlib

from epilock.collect.design.read import ENCRYPTED, FOREIGN, OLE, refuse_old
from epilock.collect.intake.delimited import Delimited
from epilock.collect.intake.sheet import Workbook
from epilock.collect.intake.table import Source, Table
from epilock.errors import FileFormatError, TooLargeError

MAX_BYTES = 2**31
MARK = b"PAR1"
ENCRYPTED_MARK = b"PARE"  # a Parquet file whose footer is encrypted
HEAD = 4096
OLE_BYTES = 2**26  # of an encrypted file; its directory names what it is
CHUNK = 2**20


def open_table(source: Source) -> Table:
    """Return the table in a file.

    Raises:
        FileFormatError: It can't be read as a table: empty, corrupt, encrypted, of another kind.
        TooLargeError: It is larger than 2 GB, or unpacks to more than the limits of its kind.
    """
    name = source.name
    try:
        size, _ = source.state()
        with source.open() as stream:
            start = stream.read(HEAD)
    except OSError as error:
        raise FileFormatError(f"{name}: cannot be read: {error.strerror}") from None
    if size > MAX_BYTES:
        raise TooLargeError(f"{name}: larger than {MAX_BYTES // 2**30} GB; divide it")
    if not start.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise FileFormatError(f"{name}: empty")
    if start.startswith(ENCRYPTED_MARK):
        raise FileFormatError(f"{name}: encrypted; save it without a key")
    if start.startswith(MARK):
        from epilock.collect.intake.parquet import Parquet  # noqa: PLC0415 - 40 MB that few servers need

        return Parquet(source)
    if start.startswith(b"PK"):
        return Workbook(source)
    _refuse(source, start)
    return Delimited(source)


def _refuse(source: Source, start: bytes) -> None:
    """Raise for a file of a kind that is no table."""
    name = source.name
    if start.startswith(OLE):
        with source.open() as stream:
            directory = stream.read(OLE_BYTES)
        refuse_old(name, encrypted=ENCRYPTED in directory)
    for mark, kind in FOREIGN:
        if start.startswith(mark):
            raise FileFormatError(f"{name}: {kind} is no list; give it as XLSX, CSV or Parquet")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<", b"{")):
        raise FileFormatError(f"{name}: HTML, XML or JSON; save the list as .xlsx or CSV")


def fingerprint(source: Source, secret: bytes) -> bytes:
    """Return the file's keyed hash: BLAKE2s-256 over its bytes and the sheet's name (rule 1)."""
    digest = hashlib.blake2s(key=secret, person=b"epi-file")
    digest.update(source.sheet.encode() + b"\0")
    with source.open() as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.digest()
