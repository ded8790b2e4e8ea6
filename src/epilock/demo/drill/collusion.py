"""Collusion: who asks and who approves agree to do wrong.

Two persons pass every rule of two persons. What bounds them is the grant itself, and what betrays them is that
nothing of it can be done unseen or undone: everybody above, outside and concerned reads it.
"""

from functools import partial
from pathlib import Path

from epilock.accounts.staff import Staff
from epilock.demo.drill.insiders import HEALTH, How, Insiders
from epilock.demo.drill.stage import Say, require
from epilock.errors import ForbiddenError, InputError
from epilock.ledger import entry
from epilock.ledger.shards import all_of
from epilock.use import grant as grants
from epilock.use.decision import OPENED

MANY, SUBJECTS = 40, 8


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    drill = Insiders(folder, say, many=MANY)
    parts, clock = drill.parts, drill.stage.clock
    asker, friend = drill.hire("asker", "analyst"), drill.hire("friend", "approver")
    say(
        f"1. {MANY} residents gave. An analyst and an approver agree on a case that does not exist."
    )

    say("2. What not even two of them can have:")
    attempts = [
        drill.refused("more subjects than any grant", partial(_too_many, drill, asker)),
        drill.refused("one person alone", partial(_alone, drill)),
    ]
    require(all(attempts), "a grant has bounds that nobody can approve away")

    say(f"3. They agree on {SUBJECTS}, and open as many as they get:")
    grant = drill.approve(drill.ask(asker, SUBJECTS, reason="contacts of a case"), friend)
    taken: list[int] = []
    for n in drill.numbers:
        try:
            drill.open(asker, n, How(grant=grant.grant))
        except ForbiddenError as error:
            say(f"   after {len(taken)}: refused: {error}")
            break
        taken.append(n)
    require(len(taken) == SUBJECTS, "two persons take what the grant says and no more")

    say("4. What everybody reads in the public log, checked under a witness's signature:")
    drill.stage.gatherer(parts).round(clock())
    with parts.database.read() as tx:
        said = [
            entry.decode(raw)
            for log in all_of(parts.log)
            for raw in log.entries(tx, 0, log.size(tx))
        ]
    named = [e for e in said if isinstance(e, entry.Grant)]
    opened = [e for e in said if isinstance(e, entry.Decision) and e.verdict == OPENED]
    for each in named:
        say(
            f"   grant {each.grant}: {each.subjects} subjects until {each.until}; approved by {each.approved_by}, asked by {each.staff}"
        )
    say(f"   {len(opened)} openings under it")
    require(len(named) == 1 and len(opened) == SUBJECTS, "grant and openings stand in the log")

    say("5. Whoever it is about:")
    seen = [n for n in taken if any(d.by_org == HEALTH for d in drill.seen_by(n))]
    say(f"   {len(seen)} of {len(taken)} persons see who looked, when and for which purpose")
    require(len(seen) == len(taken), "each person sees it")
    warden = drill.hire("warden", "supervisor")
    with parts.database.write() as tx:
        grants.revoke(
            tx, parts.log, standard_ref=parts.standard.ref, org=HEALTH, grant=grant.grant,
            by=warden.staff, now=clock(),
        )  # fmt: skip
    ended = drill.refused(
        "once it is revoked", partial(drill.open, asker, drill.numbers[-1], How(grant=grant.grant))
    )
    require(ended, "a revoked grant opens nothing")
    say(
        f"{SUBJECTS} of {MANY} taken, all of them seen by their persons and by strangers. "
        "Not stopped: two persons within the bounds of a grant; that is what the bounds are for."
    )
    parts.close()


def _too_many(drill: Insiders, who: Staff) -> None:
    try:
        drill.ask(who, grants.MOST_SUBJECTS + 1, reason="everybody")
    except InputError as error:
        raise ForbiddenError(str(error)) from None


def _alone(drill: Insiders) -> None:
    both = drill.hire("both", "analyst", "approver")
    drill.approve(drill.ask(both, 1, reason="contacts of a case"), both)
