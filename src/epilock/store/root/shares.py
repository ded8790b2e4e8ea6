"""A key file's root key on paper: shares of words, any so many of which give it back (SLIP-0039, Shamir 1979).

33 words a share, out of a list of 1,024 that differ in their first four letters, with a checksum of the
share; fewer shares than needed tell nothing of the key. The words are English: they are copied, not read.
"""

from collections.abc import Sequence

from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.share import Share

from epilock.errors import InputError
from epilock.store.suite import KEY_BYTES

MOST_SHARES = 16  # of SLIP-0039
WORDS = 33
_MOST_TEXT = 1_000  # characters of one share
# The standard's stretching of a passphrase: none is used, and the key has 256 random bits.
_EXPONENT = 0


def split(root: bytes, *, shares: int, needed: int) -> list[str]:
    """Return ``shares`` lines of words, any ``needed`` of which give ``root`` back.

    Raises:
        InputError: Not 2 to 16 shares, or not 2 to all of them needed.
    """
    if not 2 <= needed <= shares <= MOST_SHARES:  # noqa: PLR2004 - one share would be the key
        raise InputError(f"2 to {MOST_SHARES} shares, of which 2 or more are needed")
    made: list[list[str]] = generate_mnemonics(
        1, [(needed, shares)], root, iteration_exponent=_EXPONENT
    )
    return made[0]


def join(lines: Sequence[str]) -> bytes:
    """Return the root key that the shares give; more than are needed do no harm.

    Raises:
        InputError: A share has a slip (which one is said), belongs to another key, or there are too few.
    """
    shares = {}
    for number, line in enumerate(lines, 1):
        words = " ".join(line.lower().split())
        if len(line) > _MOST_TEXT or len(words.split()) != WORDS:
            raise InputError(f"share {number} must have {WORDS} words")
        try:
            shares[words] = Share.from_mnemonic(words)
        except MnemonicError:
            raise InputError(
                f"share {number} has a slip: a word is not of the list, or its checksum does not fit"
            ) from None
    if len({share.identifier for share in shares.values()}) > 1:
        raise InputError("the shares are not all of one key")
    needed = max((share.member_threshold for share in shares.values()), default=2)
    if len(shares) < needed:
        raise InputError(f"{needed} different shares are needed, and {len(shares)} were given")
    try:
        root: bytes = combine_mnemonics(list(shares)[:needed])
    except MnemonicError:
        raise InputError("the shares don't give a key: they are not of one splitting") from None
    if len(root) != KEY_BYTES:
        raise InputError("the shares are of something else than a root key")
    return root
