"""How a verdict is said: the lines of the steps that hold, or the one that failed; as text and as JSON."""

from typing import Any, NoReturn

import msgspec
import typer

from epilock.cli.failure import explain
from epilock.errors import AnchorProofError, EpilockError
from epilock.ledger import entry
from epilock.ledger.verify import SHOWN, STEPS, failed_step

ANCHOR = "anchor"  # the step after the last, if an anchor was given


def fail(error: EpilockError, kind: str, *, as_json: bool) -> NoReturn:
    """Say which step failed and leave, with the exit code of its error.

    Raises:
        EpilockError: ``error``, if it is of the command line and not of a step.
    """
    step, name = failed_step(error), type(error).__name__
    number = [*STEPS].index(step) + 1
    step = kind if number == SHOWN else step
    if isinstance(error, AnchorProofError):
        number, step = SHOWN + 1, ANCHOR
    if as_json:
        print_json(
            {"ok": False, "kind": kind, "number": number, "step": step, "error": name,
             "why": str(error)}
        )  # fmt: skip
    else:
        print(f"NOT VERIFIED, step {number} ({step}), {name}: {plain(str(error))}")
    raise typer.Exit(explain(error)[1]) from None


def show(kind: str, told: dict[str, Any], *, as_json: bool) -> None:
    """Print what was shown; ``told`` holds its values, and its ``lines`` by the name of their step."""
    lines = told.pop("lines")
    if as_json:
        print_json({"ok": True, "kind": kind, **told})
        return
    print("VERIFIED")
    for number, step in enumerate([*[*STEPS][:-1], kind], 1):
        if step in lines and (number < SHOWN or kind != "checkpoint"):
            print(f"  {number} {step:12} {plain(lines[step])}")
    if ANCHOR in lines:
        print(f"  {SHOWN + 1} {ANCHOR:12} {plain(lines[ANCHOR])}")
    if "entry" not in told:
        return
    said = told["entry"]
    if isinstance(said, str):
        print(f"The entry is of no type of Epilock: {said}")
        return
    print(f"The entry says ({entry.kind(said)}):")
    for name in said.__struct_fields__:
        value = msgspec.json.encode(getattr(said, name)).decode()
        print(f"  {name:12} {plain(value)}")


def print_json(value: Any) -> None:
    """Print ``value`` on one line."""
    print(msgspec.json.encode(value).decode())


def plain(text: str) -> str:
    """Return ``text`` without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
