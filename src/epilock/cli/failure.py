"""What an error is to a terminal: one text and one exit code, from one table."""

from epilock.errors import (
    AccessError,
    EpilockError,
    FieldsError,
    InputError,
    IntegrityError,
    KeysError,
    LedgerError,
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
    LedgerError: 1,
    EpilockError: 1,
}


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
