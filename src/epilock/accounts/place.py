"""Where networks are: a table that whoever runs the installation gives, and how far two places are apart.

Nobody is asked: no address leaves the machine. The table is a CSV file with the header
``network,latitude,longitude,name``, such as ``203.0.113.0/24,36.65,117.12,Jinan``; where it comes from, how
current it is and by which licence is the operator's to know.

Rules kept in this file:
  1. The longest prefix that holds an address tells its place (RFC 4632, section 5.1).
  2. Distances are great circles by the haversine formula (R. W. Sinnott, "Virtues of the Haversine", Sky and
     Telescope 68 (1984), p. 159) on a sphere of the earth's mean radius (IUGG: 6371.0088 km).
  3. Nobody travels faster than an airliner, 900 km/h; ``NEAR`` is how far such tables err.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

from epilock.errors import FileFormatError, InputError, TooLargeError

HEADER = ["network", "latitude", "longitude", "name"]
MAX_BYTES, MAX_ROWS, MAX_NAME = 32_000_000, 500_000, 60
EARTH = 6371.0088  # km
FASTEST = 900.0  # km/h
NEAR = 100.0  # km
KEPT = {4: 24, 6: 48}  # bits of an address that are kept: a network, no household
_DEGREES = re.compile(r"-?\d{1,3}(\.\d{1,8})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place as the table has it.

    Attributes:
        latitude: Hundredths of a degree, north positive.
        longitude: Hundredths of a degree, east positive.
        name: What people call it.
    """

    latitude: int
    longitude: int
    name: str


@dataclass(frozen=True, slots=True)
class Places:
    """The table: for each length of a prefix, the longest first, its networks."""

    networks: Mapping[tuple[int, int], Mapping[int, Place]] = field(default_factory=dict)

    def find(self, address: str) -> Place | None:
        """Return where an address is, or None if the table has no network that holds it (rule 1)."""
        found = _address(address)
        if found is None:
            return None
        version, bits, number = found
        for (of, length), places in self.networks.items():
            if of == version and (place := places.get(number >> (bits - length))) is not None:
                return place
        return None


def load(path: Path | None) -> Places:
    """Return the table in a file; an empty one if there is none.

    Raises:
        InputError: The file cannot be read.
        FileFormatError: A line is not as it should be.
        TooLargeError: It is too large.
    """
    if path is None:
        return Places()
    try:
        with path.open("rb") as stream:
            body = stream.read(MAX_BYTES + 1)
    except OSError:
        raise InputError(
            "EPILOCK_PLACES must name a file that can be read, or be left out"
        ) from None
    return read(body)


def read(body: bytes) -> Places:
    """Return the table that a CSV file holds.

    Raises:
        FileFormatError: A line is not as it should be; it is named, with its column.
        TooLargeError: The file has too many bytes or lines.
    """
    if len(body) > MAX_BYTES:
        raise TooLargeError(f"the table of places has more than {MAX_BYTES} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFormatError("the table of places is no UTF-8; save it as CSV UTF-8") from None
    found: dict[tuple[int, int], dict[int, Place]] = {}
    for line, cells in _lines(text):
        network, place = _row(line, cells)
        bits = network.max_prefixlen - network.prefixlen
        number = int(network.network_address) >> bits
        places = found.setdefault((network.version, network.prefixlen), {})
        if number in places:
            raise FileFormatError(f"line {line}, network: it stands above already")
        places[number] = place
    return Places(dict(sorted(found.items(), key=lambda item: -item[0][1])))


def network_of(address: str) -> str:
    """Return the network of an address, cut to /24 or /48; "" if it is no address."""
    found = _address(address)
    if found is None:
        return ""
    version, bits, number = found
    cut = bits - KEPT[version]
    kind = IPv4Network if version == 4 else IPv6Network  # noqa: PLR2004 - the version of the protocol
    return str(kind((number >> cut << cut, KEPT[version])))


def apart(one: Place, other: Place) -> float:
    """Return how many kilometres two places are apart (rule 2)."""
    here, there = radians(one.latitude / 100), radians(other.latitude / 100)
    north, east = (there - here) / 2, radians((other.longitude - one.longitude) / 100) / 2
    half = sin(north) ** 2 + cos(here) * cos(there) * sin(east) ** 2
    return 2 * EARTH * asin(min(1.0, sqrt(half)))


def is_too_far(one: Place, other: Place, within: timedelta) -> bool:
    """Tell whether nobody travels from one place to the other in this time (rule 3)."""
    hours = max(within, timedelta()) / timedelta(hours=1)
    return apart(one, other) > NEAR + FASTEST * hours


def _address(text: str) -> tuple[int, int, int] | None:
    """Return version, length and number of an address; IPv4 inside IPv6 (RFC 4291, 2.5.5.2) is IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.version, address.max_prefixlen, int(address)


def _lines(text: str) -> Iterable[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if header != HEADER:
            raise FileFormatError(f"line 1: the columns are {','.join(HEADER)}")
        for rows, cells in enumerate(reader, 1):
            if rows > MAX_ROWS:
                raise TooLargeError(f"the table of places has more than {MAX_ROWS} lines")
            if cells:
                yield reader.line_num, cells
    except csv.Error:
        raise FileFormatError(f"line {reader.line_num}: no CSV; are its quotes closed?") from None


def _row(line: int, cells: list[str]) -> tuple[IPv4Network | IPv6Network, Place]:
    if len(cells) != len(HEADER):
        raise FileFormatError(f"line {line}: {len(cells)} columns where there should be 4")
    try:
        network = ip_network(cells[0].strip())
    except ValueError:
        raise FileFormatError(f"line {line}, network: no network, such as 203.0.113.0/24") from None
    name = cells[3].strip()
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise FileFormatError(f"line {line}, name: 1 to {MAX_NAME} characters")
    return network, Place(
        latitude=_degrees(line, "latitude", cells[1], 90),
        longitude=_degrees(line, "longitude", cells[2], 180), name=name,
    )  # fmt: skip


def _degrees(line: int, column: str, text: str, most: int) -> int:
    text = text.strip()
    if not _DEGREES.fullmatch(text) or abs(float(text)) > most:
        raise FileFormatError(
            f"line {line}, {column}: degrees from -{most} to {most}, such as 36.65"
        )
    return round(float(text) * 100)
