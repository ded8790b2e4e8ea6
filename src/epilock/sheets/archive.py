"""Archives: a ZIP that may be opened, and its XML, read as a stream.

Workbooks are ZIP files of XML, made by strangers. Nothing is unpacked to disk, nothing is held
whole, and what is declared too large is not touched.

Rules kept in this file:
  1. Unpacked size, number of entries and ratio are checked against the directory before anything
     is unpacked; ``zipfile`` never gives more than an entry declares.
  2. XML with a document type is refused unread: no entity is ever expanded, none fetched.
  3. One XML token (a tag, a comment) is at most ``MAX_TOKEN`` bytes; of all parts together at most
     ``MAX_ELEMENTS`` elements are looked at.
"""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, Protocol
from xml.parsers import expat

from epilock.errors import FileFormatError, TooLargeError

MAX_UNPACKED = 200 * 2**20
MAX_ENTRIES = 5_000
MAX_RATIO = 200  # a sheet of equal rows reaches 50; deflate's own bound is 1,032
RATIO_FROM = 2**20  # bytes; below this a high ratio is harmless
MAX_TOKEN = 2**20
MAX_ELEMENTS = 1_500_000  # a few seconds of work; a header lies in the first thousands
CHUNK = 2**16

_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, KeyError, ValueError, OverflowError,
    NotImplementedError, RuntimeError, IndexError,
)  # fmt: skip


class Handler(Protocol):
    """What receives the elements of one XML part; names come without their namespace."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def data(self, text: str) -> None:
        """Characters, in pieces."""


class EnoughError(Exception):
    """Raised by a handler that has what it wants; never leaves this package."""


DIRECTORY = "the ZIP directory"  # in messages, as a part is by its name


class Archive:
    """An opened ZIP file that passed rule 1.

    Attributes:
        name: Of the file, for messages.
    """

    def __init__(
        self,
        content: bytes | BinaryIO,
        name: str,
        *,
        elements: int = MAX_ELEMENTS,
        unpacked: int = MAX_UNPACKED,
    ) -> None:
        """Open ``content``, of whose parts at most ``elements`` XML elements will be looked at.

        Args:
            content: The file's bytes, or the open file.
            name: Of the file, for messages.
            elements: Most XML elements.
            unpacked: Most bytes that all parts unpack to.

        Raises:
            FileFormatError: It is no ZIP file, or a broken or encrypted one.
            TooLargeError: It unpacks to more than the limits allow.
        """
        self.name = name
        self._elements_left = elements
        with self._mended(DIRECTORY):
            stream = io.BytesIO(content) if isinstance(content, bytes) else content
            self._zip = zipfile.ZipFile(stream)
        entries = self._zip.infolist()
        size = sum(e.file_size for e in entries)
        if len(entries) > MAX_ENTRIES or size > unpacked:
            raise TooLargeError(
                f"{name}: unpacks to {size / 2**20:.0f} MB in {len(entries)} parts; "
                f"at most {unpacked // 2**20} MB in {MAX_ENTRIES} parts are read"
            )
        for e in entries:
            if e.file_size > RATIO_FROM and e.file_size > MAX_RATIO * max(e.compress_size, 1):
                raise TooLargeError(
                    f"{name}: a part unpacks to {e.file_size / 2**20:.0f} MB, more than {MAX_RATIO} times "
                    "its packed size (a ZIP bomb)"
                )
            if e.flag_bits & 1:
                raise FileFormatError(f"{name}: encrypted; save it without a password")
        self.parts = frozenset(e.filename for e in entries)

    def walk(self, part: str, handler: Handler) -> None:
        """Send the elements of XML ``part`` to ``handler`` until it has enough; raises as ``steps``."""
        for _ in self.steps(part, handler):
            pass

    def steps(self, part: str, handler: Handler) -> Iterator[None]:
        """Do what ``walk`` does, a step for each ``CHUNK`` bytes, so that a long part can be streamed.

        Raises:
            FileFormatError: The part is missing, broken, not XML, or declares a document type.
            TooLargeError: One XML token is larger than ``MAX_TOKEN``.
        """
        parser = self._parser(part, handler)
        fed = 0
        try:
            with self._mended(part), self._zip.open(part) as stream:
                while chunk := stream.read(CHUNK):
                    parser.Parse(chunk)
                    fed += len(chunk)
                    if fed - max(parser.CurrentByteIndex, 0) > MAX_TOKEN:
                        raise TooLargeError(f"{self.name}: {part} has an XML tag of over 1 MB")
                    yield
                parser.Parse(b"", True)  # noqa: FBT003 - its argument has no name
        except EnoughError:
            return
        except expat.ExpatError as e:
            raise FileFormatError(f"{self.name}: {part} is broken XML at line {e.lineno}") from None

    def _parser(self, part: str, handler: Handler) -> expat.XMLParserType:
        def refuse(*_: object) -> None:
            raise FileFormatError(
                f"{self.name}: {part} declares a document type (DTD); workbooks have none"
            )

        def start(tag: str, attributes: dict[str, str]) -> None:
            self._elements_left -= 1
            if self._elements_left < 0:
                raise TooLargeError(f"{self.name}: {part} has too many XML elements")
            bare = {k.rpartition(" ")[2]: v for k, v in attributes.items()}
            handler.start(tag.rpartition(" ")[2], bare)

        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = refuse
        parser.StartElementHandler = start
        parser.EndElementHandler = lambda tag: handler.end(tag.rpartition(" ")[2])
        parser.CharacterDataHandler = handler.data
        return parser

    @contextmanager
    def _mended(self, part: str) -> Iterator[None]:
        """Turn every way a ZIP can be broken into one error."""
        try:
            yield
        except _BROKEN:
            raise FileFormatError(f"{self.name}: corrupt ({part}); save the file again") from None
