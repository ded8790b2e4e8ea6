"""Commands about grants: who asked to open what, for what, until when; a second person decides."""

from datetime import timedelta
from typing import Annotated

import typer

from epilock.cli.identity import As, check_over, signed_in
from epilock.cli.installation import At, Home, day, instant_text, opened
from epilock.standard.level import midnight
from epilock.use import gate
from epilock.use import grant as grants

app = typer.Typer(no_args_is_help=True, help="Grants: leave to open records for a purpose.")

STAGES = (grants.REQUESTED, grants.ACTIVE, grants.REFUSED, grants.REVOKED)
Code = Annotated[str, typer.Argument(help="The grant's code, such as g-k3f7q2xw5mza.")]
Org = Annotated[str, typer.Option("--org", help="Organisation of the grant's holder.")]


@app.command("list")
def list_grants(
    org: Annotated[str, typer.Argument(help="Organisation of the holders.")],
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those refused or revoked.")] = False,
    home: Home = None,
) -> None:
    """List the grants that wait or last, the latest first."""
    with opened(home) as parts, parts.database.read() as tx:
        stages = STAGES if every else STAGES[:2]
        for g in grants.listing(tx, org, stages=stages):
            print(
                f"{g.grant} {g.stage:9} {g.staff} {g.purpose} {g.form} from {g.source}:"
                f" {','.join(g.circumstances)}, {g.used} of {g.subjects} subjects,"
                f" until {instant_text(g.until)}"
            )


@app.command("ask")
def ask(
    source: Annotated[str, typer.Argument(help="Organisation that collected the records.")],
    *,
    purpose: Annotated[str, typer.Option(help="Code of the standard, such as tracing.")],
    form: Annotated[str, typer.Option(help=", ".join(gate.FORMS))],
    circumstance: Annotated[list[str], typer.Option(help="Whose records. Repeatable.")],
    subjects: Annotated[
        int, typer.Option(min=1, max=grants.MOST_SUBJECTS, help="Most persons it may open.")
    ],
    until: Annotated[str, typer.Option(help=f"Last day, at most {grants.LONGEST.days} days away.")],
    reason: Annotated[str, typer.Option(help="Why; without personal information.")],
    case: Annotated[str | None, typer.Option(help="Case or order it rests on, by number.")] = None,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Ask for a grant; it opens nothing until a second person approves it."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, *grants.HOLDERS)
        with parts.database.write() as tx:
            asked = grants.request(
                tx, parts.standard, found, source=source, purpose=purpose, form=form,
                circumstances=tuple(circumstance), subjects=subjects, case=case, reason=reason,
                until=midnight(day(until) + timedelta(days=1)), now=parts.now(),
            )  # fmt: skip
    print(f"{asked.grant} waits for a second person")


@app.command("approve")
def approve(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """Approve a request as the second person."""
    _decide(code, org, who, home, now, approve=True)
    print(f"{code} is active")


@app.command("refuse")
def refuse(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """Refuse a request as the second person."""
    _decide(code, org, who, home, now, approve=False)
    print(f"{code} is refused")


@app.command("revoke")
def revoke(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """End a grant at once."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, "custodian", "analyst", "approver")
        with parts.database.write() as tx:
            check_over(tx, found, org)
            grants.revoke(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, grant=code,
                by=found.staff, now=parts.now(),
            )  # fmt: skip
    print(f"{code} is revoked")


def _decide(code: str, org: str, who: str, home: Home, now: At, *, approve: bool) -> None:
    with opened(home, now) as parts:
        found = signed_in(parts, who, "approver")
        with parts.database.write() as tx:
            grants.decide(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, grant=code, by=found,
                approve=approve, now=parts.now(),
            )  # fmt: skip
