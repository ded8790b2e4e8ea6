"""Forged receipt: somebody claims, with paper that looks right, what the log never said.

A resident's receipt is altered, lifted onto another record, moved, signed anew under the log's name, and stripped
of its witnesses; a code is made up. Each forgery fails at its own step, in two programs that share no code.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from epilock.collect import code
from epilock.demo import life
from epilock.demo.drill.stage import Say, Stage, require, silent
from epilock.errors import DrillError, EpilockError, FieldsError, NotFoundError
from epilock.ledger import regime
from epilock.ledger.note import Signer, sign
from epilock.ledger.policy import Policy
from epilock.ledger.proof import parse
from epilock.ledger.verify import verify
from epilock.store import vault

WITNESSES = ("\u2014 audit.example ", "\u2014 press.example ")
ALTERED, LIFTED, MOVED, SIGNED_ANEW, STRIPPED = (
    "one octet of the entry is another",
    "the entry of another resident",
    "the same entry at another place",
    "signed by another key under the log's name",
    "without its witnesses",
)


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    stage = Stage(folder, say)
    say("1. Two residents give their data; witnesses cosign; each keeps a receipt.")
    parts = stage.found("city")
    form = life.open_gate(parts, stage.clock, silent)
    stored = [life.give(parts, stage.clock, form, silent, number=n) for n in (1, 2)]
    stage.gatherer(parts).round(stage.clock())
    with parts.database.read() as tx:
        mine, other = (parts.log.proof(tx, each.index) for each in stored)
        announced = regime.in_force(tx, parts.log, stage.clock().date())
    if announced is None:
        raise DrillError("this does not hold: the policy is in force")
    done = stage.verify(mine, announced.text)
    require(done.returncode == 0, "the true receipt verifies alone")
    require(_refusal(mine, announced.policy) is None, "the true receipt verifies here")
    say(f"   entry {stored[0].index}: VERIFIED, in both programs")

    say(
        "2. Forgeries, each shown to the program that made it and to the verifier that stands alone:"
    )
    for what, forged in forgeries(mine, other, parts.log.origin).items():
        here, alone = _refusal(forged, announced.policy), stage.verify(forged, announced.text)
        if here is None or alone.returncode == 0:
            raise DrillError(f"this does not hold: refused is {what}")
        say(f"   {what}")
        say(f"   | here   {type(here).__name__}: {here}")
        say(f"   | alone  {' '.join(alone.stdout.split()[:2])}, exit code {alone.returncode}")

    say("3. A code in which two characters changed places is refused before anything is looked up:")
    swapped = _swapped(stored[0].code)
    try:
        code.parse(swapped)
    except FieldsError as error:
        say(f"   {error}")
    else:
        raise DrillError("this does not hold: a misread code is refused")
    say("   One that is well made, but was given to nobody, opens nothing:")
    made_up = code.parse(code.encode(0, UUID(int=7, version=4).bytes))
    with parts.database.read() as tx:
        try:
            vault.find_receipt(tx, "sunny-garden", code.handle(made_up.receipt_id))
        except NotFoundError as error:
            say(f"   {error}")
        else:
            raise DrillError("this does not hold: a code that was made up opens nothing")
    parts.close()


def forgeries(mine: str, other: str, origin: str) -> Mapping[str, str]:
    """Return each forgery of the receipt ``mine``, made with what anybody can have."""
    true, theirs = parse(mine), parse(other)
    entry = true.extra or b""
    body = true.checkpoint.partition("\n\n")[0] + "\n"
    stranger = Signer.from_seed(origin, b"forger's own key, 32 bytes long.")
    lines = [line for line in true.checkpoint.splitlines() if not line.startswith(WITNESSES)]
    return {
        ALTERED: replace(true, extra=entry[:-9] + bytes([entry[-9] ^ 1]) + entry[-8:]).text(),
        LIFTED: replace(true, extra=theirs.extra).text(),
        MOVED: replace(true, index=theirs.index).text(),
        SIGNED_ANEW: replace(true, checkpoint=sign(body, [stranger])).text(),
        STRIPPED: replace(true, checkpoint="\n".join(lines) + "\n").text(),
    }


def _refusal(proof: str, policy: Policy) -> EpilockError | None:
    try:
        verify(proof, policy=policy)
    except EpilockError as error:
        return error
    return None


def _swapped(text: str) -> str:
    """Return a code with the first two neighbours that differ exchanged."""
    at = next(
        i for i in range(len(text) - 1) if text[i] != text[i + 1] and "-" not in text[i : i + 2]
    )
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
