"""Commands of those in charge: organisations, emergencies, levels, mandates, assessments, agreements."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from epilock.cli.installation import At, Home, opened
from epilock.collect import issue
from epilock.errors import InputError
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard.text import Text

organisation = typer.Typer(no_args_is_help=True, help="Organisations of this installation.")
emergency = typer.Typer(no_args_is_help=True, help="Emergencies and their response levels.")
mandate = typer.Typer(no_args_is_help=True, help="Mandates, assessments and agreements.")


def day(text: str) -> date:
    """Return the calendar day that an option gives.

    Raises:
        InputError: It is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError("a day is written 2026-03-14") from None


@organisation.command("add")
def add_organisation(
    org: str,
    *,
    kind: Annotated[str, typer.Option(help=", ".join(organisations.KINDS))],
    name_zh: Annotated[str, typer.Option()],
    name_en: Annotated[str, typer.Option()],
    area: Annotated[str, typer.Option(help="GB/T 2260 code, six digits.")],
    address: Annotated[str, typer.Option()],
    telephone: Annotated[str, typer.Option()],
    officer: Annotated[str, typer.Option(help="Who answers for personal information.")],
    complaints: Annotated[str, typer.Option(help="The organisation's own complaint channel.")],
    supervisor: Annotated[str, typer.Option(help="The department that supervises it.")],
    circulation: Annotated[str, typer.Option("--range", help="R1 to R6.")] = "R1",
    parent: Annotated[str | None, typer.Option(help="The superior organisation.")] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Register an organisation."""
    with opened(home, now) as parts, parts.database.write() as tx:
        added = organisations.register(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, kind=kind, range_=circulation,
            parent=parent, area=area, name=Text(name_zh, name_en), now=parts.now(),
            notice_key=parts.notice_signer(org).vkey,
            contact={
                "address": address, "telephone": telephone, "officer": officer,
                "complaints": complaints, "supervisor": supervisor,
            },
        )  # fmt: skip
    print(f"{added.org} registered, number {added.serial}")


@organisation.command("list")
def list_organisations(*, home: Home = None) -> None:
    """List the organisations."""
    with opened(home) as parts, parts.database.read() as tx:
        for o in organisations.everyone(tx):
            print(f"{o.serial:5}  {o.org:31} {o.range} {o.kind:12} {o.name.zh} / {o.name.en}")


@emergency.command("declare")
def declare(
    code: Annotated[str, typer.Argument(help="authority/code, such as jinan/outbreak-7")],
    *,
    kind: Annotated[str, typer.Option(help=", ".join(emergencies.TYPES))],
    area: Annotated[str, typer.Option(help="GB/T 2260 code, six digits.")],
    name_zh: Annotated[str, typer.Option()],
    name_en: Annotated[str, typer.Option()],
    home: Home = None,
    now: At = None,
) -> None:
    """Declare an emergency; it allows nothing until it has a level."""
    authority, _, own = code.partition("/")
    with opened(home, now) as parts, parts.database.write() as tx:
        emergencies.declare(
            tx, parts.log, standard_ref=parts.standard.ref, authority=authority, emergency=own,
            kind=kind, area=area, name=Text(name_zh, name_en), now=parts.now(),
        )  # fmt: skip
    print(f"{code} declared; set its level next")


@emergency.command("level")
def change_level(
    code: Annotated[str, typer.Argument(help="authority/code, such as jinan/outbreak-7")],
    level: Annotated[str, typer.Argument(help="N, IV, III, II, I or E")],
    *,
    issuer: Annotated[str, typer.Option(help="The government or command that set it.")],
    instrument: Annotated[str, typer.Option(help="Number of the order.")],
    date_: Annotated[str, typer.Option("--date", help="Date of the order.")],
    expected_end: Annotated[str | None, typer.Option()] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Change the response level; the points' notices are issued anew."""
    authority, _, own = code.partition("/")
    with opened(home, now) as parts, parts.database.write() as tx:
        reissued = issue.change_level(
            tx, parts.press, authority=authority, emergency=own, level=level, issuer=issuer,
            instrument=instrument, date_=day(date_),
            expected_end=None if expected_end is None else day(expected_end), now=parts.now(),
        )  # fmt: skip
    print(f"{code} is at level {level}; {reissued} notices issued anew")


@mandate.command("record")
def record_mandate(
    org: str,
    *,
    emergency_: Annotated[str, typer.Option("--emergency", help="authority/code")],
    issuer: Annotated[str, typer.Option()],
    number: Annotated[str, typer.Option()],
    date_: Annotated[str, typer.Option("--date")],
    circumstance: Annotated[list[str], typer.Option(help="May be given more than once.")],
    until: Annotated[str | None, typer.Option()] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Record the order under which an organisation collects."""
    authority, _, own = emergency_.partition("/")
    with opened(home, now) as parts, parts.database.write() as tx:
        for name in circumstance:
            if name not in parts.standard.circumstances:
                raise InputError(f"{name!r} is no circumstance of the standard")
        made = mandates.record_mandate(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, authority=authority,
            emergency=own, issuer=issuer, number=number, date_=day(date_),
            circumstances=tuple(circumstance), until=None if until is None else day(until),
            now=parts.now(),
        )  # fmt: skip
    print(made.mandate)


@mandate.command("assess")
def record_assessment(
    org: str,
    report: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    *,
    about: Annotated[str, typer.Option(help="The circumstance it is about.")],
    date_: Annotated[str, typer.Option("--date")],
    until: Annotated[str, typer.Option()],
    home: Home = None,
    now: At = None,
) -> None:
    """Record an impact assessment by the hash of its report (PIPL 55, 56)."""
    digest = hashlib.sha256(report.read_bytes()).hexdigest()
    with opened(home, now) as parts, parts.database.write() as tx:
        code = mandates.record_assessment(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, about=about, date_=day(date_),
            until=day(until), sha256=digest, now=parts.now(),
        )  # fmt: skip
    print(code)


@mandate.command("agree")
def record_agreement(
    org: str,
    processor: str,
    *,
    purpose: Annotated[str, typer.Option()],
    category: Annotated[list[str], typer.Option(help="May be given more than once.")],
    until: Annotated[str, typer.Option()],
    home: Home = None,
    now: At = None,
) -> None:
    """Record a written agreement with a processor (PIPL 21)."""
    with opened(home, now) as parts, parts.database.write() as tx:
        made = mandates.record_agreement(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, processor=processor,
            purpose=purpose, categories=tuple(category), until=day(until), now=parts.now(),
        )  # fmt: skip
    print(made.agreement)
