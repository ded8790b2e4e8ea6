"""Which back end an address names: a path is a key file, ``pkcs11:`` a token, ``transit+`` an engine."""

from pathlib import Path

from epilock.store.root import Renewable, token, transit
from epilock.store.root.keyfile import KeyFileRoot


def open_root(address: str, *, make: bool = False) -> Renewable:
    """Return the root key at ``address``; ``make`` it if it is not there.

    Raises:
        RootKeyError: It is missing, wrong, or readable by others; or a token or engine does not answer.
        InputError: The address names no back end.
    """
    if address.startswith(token.SCHEME):
        return token.TokenRoot(token.read_address(address), make=make)
    if address.startswith(transit.SCHEME):
        return transit.TransitRoot(transit.read_address(address), make=make)
    return KeyFileRoot(Path(address), make=make)


def is_file(address: str) -> bool:
    """Tell whether the address is that of a key file."""
    return not address.startswith((token.SCHEME, transit.SCHEME))


def is_missing(address: str) -> bool:
    """Tell whether the address is a file that is not there; another back end is asked when it is opened."""
    return is_file(address) and not Path(address).exists()


def kind_of(address: str) -> str:
    """Return which back end an address names, for people."""
    if is_file(address):
        return "a file"
    return "a token" if address.startswith(token.SCHEME) else "a transit engine"
