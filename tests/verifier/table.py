"""The table that holds three verifiers to the same answers: ``vectors/ledger/malformed.json``.

Each case makes its file from the text that ``of`` names: each ``swap`` replaces the first place where its
first string stands; ``until`` cuts at a string, ``drop`` leaves out the lines that begin with one, ``strip``
cuts bytes off the end, ``prefix`` (hex) and ``pad`` (newlines) put bytes before and after it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors/ledger"
TABLE = json.loads((VECTORS / "malformed.json").read_text())
TEXTS = TABLE["texts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One check: files as bytes, and the step that must fail.

    Attributes:
        name: What is wrong, or what holds.
        step: Name of the step, or None if all hold.
        browser: The same in a browser, which has no ML-DSA-44.
        files: By their part: ``file``, ``policy``, ``entry``, ``newer``, ``consistency``.
        keys: Keys of accepted logs.
        leaf_hash: In hex, or None.
        proofs: Of a destruction, or None if none is asked for.
    """

    name: str
    step: str | None
    browser: str | None
    files: dict[str, bytes]
    keys: list[str]
    leaf_hash: str | None
    proofs: list[bytes] | None = field(default=None)


def cases():
    return [_case(each) for each in TABLE["cases"]]


def swapped(text, swaps):
    for old, new in swaps:
        assert old in text, old[:60]
        text = text.replace(old, new, 1)
    return text


def _case(raw):
    text = swapped(TEXTS[raw["of"]], raw.get("swap", []))
    if "until" in raw:
        text = text[: text.index(raw["until"])]
    if "drop" in raw:
        lines = text.split("\n")
        kept = [line for line in lines if not line.startswith(raw["drop"])]
        assert len(kept) < len(lines)
        text = "\n".join(kept)
    data = bytes.fromhex(raw.get("prefix", "")) + text.encode() + b"\n" * raw.get("pad", 0)
    files = {"file": data[: len(data) - raw.get("strip", 0)]}
    if "policy" in raw:
        files["policy"] = swapped(TEXTS[raw["policy"]], raw.get("policy_swap", [])).encode()
    if "entry" in raw:
        files["entry"] = bytes.fromhex(raw["entry"])
    if "newer" in raw:
        files["newer"] = TEXTS[raw["newer"]].encode()
        swaps = raw.get("consistency_swap", [])
        files["consistency"] = swapped(TEXTS[raw["consistency"]], swaps).encode()
    proofs = raw.get("proofs")
    return Case(
        name=raw["name"], step=raw["step"], browser=raw.get("browser", raw["step"]), files=files,
        keys=raw.get("keys", []), leaf_hash=raw.get("leaf_hash"),
        proofs=None if proofs is None else [TEXTS[each].encode() for each in proofs],
    )  # fmt: skip
