"""Every parser of what strangers send, fed by a fuzzer that follows its branches (Atheris, libFuzzer).

``python parsers.py PARSER|all [libFuzzer's options] [CORPUS ...]``. A parser either answers or raises one of our own
errors; anything else is a crash, whose input libFuzzer writes down.
"""

import sys
from collections.abc import Callable, Mapping

import atheris

with atheris.instrument_imports(include=["epilock.ledger", "epilock.collect", "epilock.sheets"]):
    from epilock.collect import code, form
    from epilock.collect.design.read import read_design
    from epilock.errors import EpilockError
    from epilock.ledger import checkpoint, entry, note, policy, proof
    from epilock.ledger.anchor import proof as anchor
    from epilock.ledger.anchor import stamp
    from epilock.ledger.witness import request

from epilock.deidentify.rows import hierarchy


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode(errors="replace"))


def _named(ending: str) -> Callable[[bytes], object]:
    return lambda data: read_design(data, f"x.{ending}")


PARSERS: Mapping[str, Callable[[bytes], object]] = {
    "note": _text(note.parse),
    "checkpoint": _text(checkpoint.read),
    "proof": proof.read,
    "policy": policy.parse,
    "entry": entry.decode,
    "anchor": anchor.parse,
    "stamp": stamp.parse,
    "witness-request": request.parse,
    "submission": form.parse,
    "receipt-code": _text(code.parse),
    "form-csv": _named("csv"),
    "form-xlsx": _named("xlsx"),
    "form-json": _named("json"),
    "form-toml": _named("toml"),
    "hierarchy": _text(lambda text: hierarchy.parse(text, "age", named="x.csv")),
}


def main() -> None:
    """Fuzz the parser that is named first, or ``all``: then the first octet of an input says which."""
    name = sys.argv.pop(1)
    some = list(PARSERS.values()) if name == "all" else [PARSERS[name]]

    def one(data: bytes) -> None:
        parse = some[data[0] % len(some)] if data and len(some) > 1 else some[0]
        try:
            parse(data[1:] if len(some) > 1 else data)
        except EpilockError:
            return

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
