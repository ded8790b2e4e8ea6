"""What an error is to a terminal: one text and one exit code, from one table.

An error that is none of ours but comes from outside (a file, the database) is one line too. What is left
is a mistake in the program, and keeps its traceback.
"""

from epilock.errors import (
    AccessError,
    EntryError,
    EpilockError,
    FieldsError,
    ForgedError,
    InputError,
    IntegrityError,
    KeysError,
    LedgerError,
    NoteError,
    OriginError,
    PolicyError,
    RefusedError,
    StateError,
)

EXIT: dict[type[EpilockError], int] = {
    InputError: 2,
    RefusedError: 1,
    StateError: 1,
    AccessError: 1,
    KeysError: 1,
    IntegrityError: 1,
    LedgerError: 1,  # a proof that does not hold; what else a check can end in has a code of its own:
    EntryError: 2,  # what was given cannot be read
    NoteError: 2,
    OriginError: 3,  # it is not authentic
    ForgedError: 3,
    PolicyError: 4,  # it is authentic, and too few witnesses stand behind it
    EpilockError: 1,
}
OUTSIDE = 2  # neither yes nor no: a script must not take it for an answer


def explain(error: EpilockError) -> tuple[str, int]:
    """Return what to print and the exit code of ``error``."""
    code = next(EXIT[kind] for kind in type(error).__mro__ if kind in EXIT)
    text = f"epilock: {error}"
    if isinstance(error, RefusedError):
        if error.rule:
            text += f"\n  rule: {error.rule} ({', '.join(error.source)})"
        if error.allowed:
            text += f"\n  instead: {error.allowed}"
    if isinstance(error, FieldsError):
        text = "\n".join(
            ["epilock: not accepted:", *(f"  {p.field}: {p.en}" for p in error.problems)]
        )
    return text, code


def is_from_outside(error: Exception) -> bool:
    """Return whether an error is none of ours but comes from outside: a file, the database."""
    import sqlalchemy as sa  # noqa: PLC0415 - half a second that only a failure, or the database, needs

    return isinstance(error, OSError | UnicodeError | sa.exc.DBAPIError)


def explain_outside(error: Exception) -> tuple[str, int]:
    """Return what to print and the exit code for one that ``is_from_outside``.

    Statements and their values are left out: they may hold what a person gave.
    """
    if isinstance(error, UnicodeError):
        return "epilock: what was given is not text in UTF-8", OUTSIDE
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{error.filename}: "
        return f"epilock: {where}{error.strerror or error}", OUTSIDE
    first = str(getattr(error, "orig", error)).strip().splitlines()
    return f"epilock: the database cannot be used: {first[0] if first else 'no answer'}", OUTSIDE
