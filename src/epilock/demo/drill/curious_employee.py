"""Curious employee: somebody who works with the data looks up a neighbour.

What has nothing to do with the work is refused; what the work allows can be misused once, and the neighbour sees
it: which organisation, when, for which purpose.
"""

from functools import partial
from pathlib import Path

from epilock.demo.drill.insiders import ORG, How, Insiders
from epilock.demo.drill.stage import Say, require
from epilock.use import search
from epilock.use.decision import OPENED

MANY, SUBJECTS = 20, 3
NEIGHBOUR = 11


def play(folder: Path, say: Say) -> None:
    """Play the drill in an empty ``folder``.

    Raises:
        DrillError: A guarantee does not hold.
    """
    drill = Insiders(folder, say, many=MANY)
    clerk, second = drill.hire("clerk", "analyst"), drill.hire("second", "approver")
    guard = drill.hire("guard", "collector", org=ORG)
    say(
        f"1. {MANY} residents gave at the gate. A clerk of the health authority is curious about one."
    )

    say("2. Without leave:")
    attempts = [
        drill.refused(f"{who.login} opens", partial(drill.open, who, NEIGHBOUR, how))
        for who, how in (
            (clerk, How(grant=None)),
            (guard, How(grant=None, form="raw")),
        )
    ]

    say(f"3. The clerk has leave to trace {SUBJECTS} contacts, and uses it for something else:")
    grant = drill.approve(drill.ask(clerk, SUBJECTS, reason="contacts of a case"), second)
    attempts += [
        drill.refused(what, partial(drill.open, who, NEIGHBOUR, how))
        for what, who, how in (
            ("the whole record", clerk, How(grant=grant.grant, form="raw")),
            ("for treatment", clerk, How(grant=grant.grant, purpose="treatment")),
            ("the guard borrows it", guard, How(grant=grant.grant)),
        )
    ]
    require(all(attempts), "leave is for its holder, its purpose and its form")

    say("4. For its purpose and form it opens, also for the neighbour, masked:")
    drill.open(clerk, NEIGHBOUR, How(grant=grant.grant))
    seen = [each for each in drill.seen_by(NEIGHBOUR) if each.verdict == OPENED]
    for each in seen:
        say(f"   the neighbour sees: {each.by_org}, {each.purpose}, {each.form}, {each.at:%H:%M}")
    require(len(seen) == 1, "the person sees the opening")
    with drill.parts.database.write() as tx:
        _, found = search.search(
            drill.parts.gate, tx, clerk, source=ORG, emergency="outbreak-7",
            category="contact.mobile", value="13800000000", grant=grant.grant,
            now=drill.stage.clock(),
        )  # fmt: skip
    say(f"   a search by a telephone number is an entry, too: {len(found)} found")
    say(
        f"{len(attempts)} of {len(attempts)} attempts refused; 1 opening of {SUBJECTS} allowed, seen by its person. "
        "Not stopped: looking at somebody within one's leave."
    )
    drill.parts.close()
