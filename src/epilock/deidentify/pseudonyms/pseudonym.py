"""Pseudonyms: the same code for the same person within a study, and no way from one study to another. Pure.

In come identifiers and the study's key, which its holder can destroy (32 random bytes); out go codes such as
``k3f7-q2xw-5mza-7d2h``. While the key lives its holder can tell whose code it is, by computing the codes of
all candidates again (``whose``). When it is gone, the codes are random letters to everyone.

Rules kept in this file:
  1. A code is the first 80 bits of HMAC-SHA-256 (RFC 2104) of kind and normal form, in base32 (RFC 4648).
     Among 25 million subjects any two meet with odds of 1 to 3.8 thousand million; if they do within one
     column, that is an error, never one person for two.
  2. Who has no key can neither compute a code nor compare studies: each has a key of its own. Who has the
     key can try out every identifier there is: it is kept apart from the codes (PIPL 73 (3)).
  3. An identifier is brought into its normal form first; ``epilock.store.tags.FORMS`` has one for each kind
     of Chinese identifier, so that 15 digits and 18, +86 and none, are one person.
  4. No identifier and an empty one have no code.
  5. Each distinct value is computed once.
"""

import hmac
import unicodedata
from base64 import b32encode
from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from epilock.errors import ConflictError, InputError
from epilock.store.tags import FORMS

KEY_BYTES = 32
CODE_BYTES = 10  # 80 bits, 16 letters without a remainder
LETTERS = 16
MOST_CHARACTERS = 200  # of an identifier
_CONTEXT = "epilock/pseudonym/v1"

Form = Callable[[str], str]


def plain(value: str) -> str:
    """Return an identifier of no special kind in its normal form: Unicode NFKC, no spaces, upper case."""
    return "".join(unicodedata.normalize("NFKC", value).split()).upper()


PLAIN = "plain"
KINDS: Mapping[str, Form] = {PLAIN: plain, **FORMS[max(FORMS)]}
"""Kinds of identifiers, each with its normal form."""


def pseudonyms(
    key: bytes, kind: str, column: pa.Array | pa.ChunkedArray, *, form: Form = plain
) -> pa.ChunkedArray:
    """Return the codes of a column of identifiers, in its order; null where there is none.

    Args:
        key: Of the study, 32 bytes.
        kind: What the identifiers are, such as ``resident-id``: the same number as another kind is
            another code.
        column: Text or whole numbers.
        form: The kind's normal form.

    Raises:
        InputError: The key has another length; the column holds something else, or a value that is too
            long: the first row is named, the value is not.
        ConflictError: Two subjects got the same code: take another key.
    """
    if len(column) == 0:
        return pa.chunked_array([pa.array([], pa.string())])
    values, places = _distinct(column)
    normal = _normal(values, places, form)
    codes = _codes(key, kind, normal)
    _check_apart(codes, normal)
    return pa.chunked_array([pa.array(codes, pa.string()).take(places)])


def whose(
    key: bytes, kind: str, codes: Iterable[str], candidates: Sequence[str], *, form: Form = plain
) -> dict[str, str]:
    """Return, for each of ``codes`` that one of ``candidates`` has, that candidate as it was given.

    It is the only way back, and needs the key.

    Raises:
        InputError, ConflictError: As ``pseudonyms``.
    """
    made = pseudonyms(key, kind, pa.array(candidates, pa.string()), form=form).to_pylist()
    known = dict(zip(made, candidates, strict=True))
    return {code: known[code] for code in codes if code in known}


def _distinct(column: pa.Array | pa.ChunkedArray) -> tuple[list[str | None], pa.Array]:
    """Return the distinct values as text, and for each row the place of its value; null where it has none."""
    whole = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    kind = whole.type.value_type if pa.types.is_dictionary(whole.type) else whole.type
    if not (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)
    ):
        raise InputError(f"identifiers are text or whole numbers; this column holds {kind}")
    encoded = whole.cast(kind).cast(pa.string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.dictionary.to_pylist(), encoded.indices


def _normal(values: Sequence[str | None], places: pa.Array, form: Form) -> list[str]:
    """Return the normal forms; "" of what is none."""
    normal = []
    for place, value in enumerate(values):
        if value is not None and len(value) > MOST_CHARACTERS:
            row = pc.index(places, pa.scalar(place, places.type)).as_py()
            raise InputError(
                f"row {row + 1}: an identifier has at most {MOST_CHARACTERS} characters"
            )
        normal.append("" if value is None else form(value))
    return normal


def _check_apart(codes: Sequence[str | None], normal: Sequence[str]) -> None:
    """Return if no two subjects have the same code."""
    if len(set(codes) - {None}) != len(set(normal) - {""}):
        raise ConflictError(
            "two subjects have the same code under this key: take another for the study"
        )


def _codes(key: bytes, kind: str, normal: Sequence[str]) -> list[str | None]:
    if len(key) != KEY_BYTES:
        raise InputError(f"a study's key has {KEY_BYTES} bytes, not {len(key)}")
    begun = hmac.new(key, f"{_CONTEXT}|{kind}|".encode(), "sha256")

    def digest(text: str) -> bytes:
        mac = begun.copy()
        mac.update(text.encode())
        return mac.digest()[:CODE_BYTES]

    letters = (
        b32encode(b"".join(map(digest, normal))).decode().lower()
    )  # each is 16 letters exactly
    return [
        f"{letters[i : i + 4]}-{letters[i + 4 : i + 8]}-{letters[i + 8 : i + 12]}-{letters[i + 12 : i + 16]}"
        if normal[i // LETTERS]
        else None
        for i in range(0, len(letters), LETTERS)
    ]
