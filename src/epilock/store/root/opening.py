"""Which back end an address names: a path is a key file, ``pkcs11:`` a token."""

from pathlib import Path

from epilock.store.root import RootKey
from epilock.store.root.keyfile import KeyFileRoot
from epilock.store.root.token import SCHEME, TokenRoot, read_address


def open_root(address: str, *, make: bool = False) -> RootKey:
    """Return the root key at ``address``; ``make`` it if it is not there.

    Raises:
        RootKeyError: It is missing, wrong, or readable by others; or a token does not answer.
        InputError: The address names no back end.
    """
    if address.startswith(SCHEME):
        return TokenRoot(read_address(address), make=make)
    return KeyFileRoot(Path(address), make=make)


def is_file(address: str) -> bool:
    """Tell whether the address is that of a key file."""
    return not address.startswith(SCHEME)


def is_missing(address: str) -> bool:
    """Tell whether the address is a file that is not there; a token is asked when it is opened."""
    return is_file(address) and not Path(address).exists()
