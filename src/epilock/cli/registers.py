"""Commands of those in charge: organisations, emergencies, levels, mandates, assessments, agreements.

They take the word of whoever runs the machine, for they are needed before there is an account to sign in
with; each is an entry of the public log.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import typer

from epilock.accounts import staff
from epilock.assemble import Parts
from epilock.cli.files import read_small
from epilock.cli.installation import At, Home, day, instant_text, opened, pair
from epilock.collect import reissue
from epilock.destroy.hold import ABOUT
from epilock.errors import InputError
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard.text import Text
from epilock.store.suite import NATIONAL

organisation = typer.Typer(no_args_is_help=True, help="Organisations of this installation.")
emergency = typer.Typer(no_args_is_help=True, help="Emergencies and their response levels.")
mandate = typer.Typer(no_args_is_help=True, help="Mandates, assessments and agreements.")


MOST_REPORT = 100 * 2**20  # bytes
OrgCode = Annotated[str, typer.Argument(metavar="ORG", help="Code of the organisation.")]
EmergencyCode = Annotated[
    str, typer.Argument(metavar="EMERGENCY", help="authority/code, such as jinan/outbreak-7.")
]
NameZh = Annotated[str, typer.Option(help="Its name in Chinese.")]
NameEn = Annotated[str, typer.Option(help="Its name in English.")]
Area = Annotated[str, typer.Option(help="GB/T 2260 code, six digits.")]
Address = Annotated[str, typer.Option(help="Where people find it.")]
Telephone = Annotated[str, typer.Option(help="Where it answers questions.")]
Officer = Annotated[str, typer.Option(help="Who answers for personal information.")]
Complaints = Annotated[str, typer.Option(help="The organisation's own complaint channel.")]
Suites = Literal["international", "national"]
Supervisor = Annotated[str, typer.Option(help="The department that supervises it.")]


@organisation.command("add")
def add_organisation(
    org: OrgCode,
    *,
    kind: Annotated[str, typer.Option(help=", ".join(organisations.KINDS))],
    name_zh: NameZh,
    name_en: NameEn,
    area: Area,
    address: Address,
    telephone: Telephone,
    officer: Officer,
    complaints: Complaints,
    supervisor: Supervisor,
    circulation: Annotated[str, typer.Option("--range", help="R1 to R6.")] = "R1",
    parent: Annotated[str | None, typer.Option(help="The superior organisation.")] = None,
    suite: Annotated[
        Suites, typer.Option(help="Algorithms that all of it is sealed with, for ever.")
    ] = "international",
    administrator: Annotated[
        str | None, typer.Option(help="Login of its administrator, who gives the other accounts.")
    ] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Register an organisation, with its administrator if one is named."""
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
        if suite == "national":
            parts.keys.choose_suite(org, NATIONAL.name)
        password = None
        if administrator is not None:
            _, password = staff.add_staff(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, login=administrator,
                roles=("administrator",), now=parts.now(),
            )  # fmt: skip
    print(f"{added.org} registered, number {added.serial}")
    if password is not None:
        print(f"administrator {administrator} of {org}, one-time password: {password}")


@organisation.command("list")
def list_organisations(*, home: Home = None) -> None:
    """List the organisations."""
    with opened(home) as parts, parts.database.read() as tx:
        for o in organisations.everyone(tx):
            print(f"{o.serial:5}  {o.org:31} {o.range} {o.kind:12} {o.name.zh} / {o.name.en}")


@organisation.command("show")
def show_organisation(org: OrgCode, *, home: Home = None) -> None:
    """Show an organisation: what stands above it, and whom people turn to."""
    with opened(home) as parts, parts.database.read() as tx:
        found, above = organisations.load(tx, org), organisations.superiors(tx, org)
        key, suite = parts.notice_signer(org).vkey, parts.keys.suite_of(org).name
    print(f"{found.org} ({found.name.zh} / {found.name.en}), number {found.serial}")
    print(f"  kind        {found.kind}, range {found.range}, area {found.area}")
    print(f"  above it    {', '.join(above) or 'none'}")
    for name in organisations.CONTACT:
        print(f"  {name:11} {found.contact[name]}")
    print(f"  notice key  {key}")
    print(f"  suite       {suite}")


@emergency.command("declare")
def declare(
    code: EmergencyCode,
    *,
    kind: Annotated[str, typer.Option(help=", ".join(emergencies.TYPES))],
    area: Area,
    name_zh: NameZh,
    name_en: NameEn,
    home: Home = None,
    now: At = None,
) -> None:
    """Declare an emergency; it allows nothing until it has a level."""
    authority, own = pair(code)
    with opened(home, now) as parts, parts.database.write() as tx:
        emergencies.declare(
            tx, parts.log, standard_ref=parts.standard.ref, authority=authority, emergency=own,
            kind=kind, area=area, name=Text(name_zh, name_en), now=parts.now(),
        )  # fmt: skip
    print(f"{code} declared; set its level next")


@emergency.command("level")
def change_level(
    code: EmergencyCode,
    level: Annotated[str, typer.Argument(help="N, IV, III, II, I; E ends it.")],
    *,
    issuer: Annotated[str, typer.Option(help="The government or command that set it.")],
    instrument: Annotated[str, typer.Option(help="Number of the order.")],
    date_: Annotated[str, typer.Option("--date", help="Day of the order, such as 2026-03-14.")],
    expected_end: Annotated[
        str | None, typer.Option(help="Day on which the order expects it to end.")
    ] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Change the response level; the points' notices are issued anew."""
    authority, own = pair(code)
    with opened(home, now) as parts:
        with parts.database.write() as tx:
            emergencies.change_level(
                tx, parts.log, standard_ref=parts.standard.ref, authority=authority, emergency=own,
                level=level, issuer=issuer, instrument=instrument, date_=day(date_),
                expected_end=None if expected_end is None else day(expected_end), now=parts.now(),
            )  # fmt: skip
        reissued = reissue.go_on(
            parts.database, parts.press, now=parts.now, of=(authority, own)
        )  # fmt: skip
    print(f"{code} is at level {level}; {reissued} notices issued anew")


@emergency.command("list")
def list_emergencies(*, home: Home = None, now: At = None) -> None:
    """List the emergencies with the level in force."""
    with opened(home, now) as parts, parts.database.read() as tx:
        for e in emergencies.everything(tx):
            level = emergencies.history(tx, e.authority, e.emergency).at(parts.now())
            code = f"{e.authority}/{e.emergency}"
            print(f"{code:40} {level or 'none':4} {e.kind:16} {e.name.zh} / {e.name.en}")


@emergency.command("history")
def show_history(code: EmergencyCode, *, home: Home = None) -> None:
    """Show each level of an emergency and the instant from which it was in force."""
    authority, own = pair(code)
    with opened(home) as parts, parts.database.read() as tx:
        emergencies.load(tx, authority, own)
        for change in emergencies.history(tx, authority, own).changes:
            print(f"{instant_text(change.at)} {change.level}")


@mandate.command("record")
def record_mandate(
    org: OrgCode,
    *,
    emergency_: Annotated[str, typer.Option("--emergency", help="authority/code.")],
    issuer: Annotated[str, typer.Option(help="Who gave the order.")],
    number: Annotated[str, typer.Option(help="Number of the order.")],
    date_: Annotated[str, typer.Option("--date", help="Day of the order, such as 2026-03-14.")],
    circumstance: Annotated[list[str], typer.Option(help="What it covers. Repeatable.")],
    until: Annotated[str | None, typer.Option(help="Its last day; open if left out.")] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Record the order under which an organisation collects."""
    authority, own = pair(emergency_)
    with opened(home, now) as parts, parts.database.write() as tx:
        organisations.load(tx, org)
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
    org: OrgCode,
    report: Annotated[Path, typer.Argument(help="The report; only its hash is kept.")],
    *,
    about: Annotated[
        str, typer.Option(help="The circumstance it is about; `hold` or `hold/CIRCUMSTANCE`.")
    ],
    date_: Annotated[str, typer.Option("--date", help="Day of the assessment.")],
    until: Annotated[str, typer.Option(help="Last day on which it holds.")],
    home: Home = None,
    now: At = None,
) -> None:
    """Record an impact assessment by the hash of its report (PIPL 55, 56)."""
    digest = hashlib.sha256(read_small(report, MOST_REPORT)).hexdigest()
    with opened(home, now) as parts, parts.database.write() as tx:
        organisations.load(tx, org)
        _check_about(parts, about)
        code = mandates.record_assessment(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, about=about, date_=day(date_),
            until=day(until), sha256=digest, now=parts.now(),
        )  # fmt: skip
    print(code)


@mandate.command("agree")
def record_agreement(
    org: OrgCode,
    processor: Annotated[str, typer.Argument(help="Code of the organisation that processes.")],
    *,
    purpose: Annotated[str, typer.Option(help="Code of the standard, such as tracing.")],
    category: Annotated[list[str], typer.Option(help="What it may process. Repeatable.")],
    until: Annotated[str, typer.Option(help="Last day of the agreement.")],
    home: Home = None,
    now: At = None,
) -> None:
    """Record a written agreement with a processor (PIPL 21)."""
    with opened(home, now) as parts, parts.database.write() as tx:
        organisations.load(tx, org)
        if purpose not in parts.standard.purposes:
            raise InputError(f"{purpose!r} is no purpose of the standard")
        for name in category:
            if name not in parts.standard.categories:
                raise InputError(f"{name!r} is no category of the standard")
        made = mandates.record_agreement(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, processor=processor,
            purpose=purpose, categories=tuple(category), until=day(until), now=parts.now(),
        )  # fmt: skip
    print(made.agreement)


@mandate.command("list")
def list_papers(org: OrgCode, *, home: Home = None) -> None:
    """List an organisation's mandates, assessments and agreements, the latest of each first."""
    with opened(home) as parts, parts.database.read() as tx:
        organisations.load(tx, org)
        for m in mandates.mandates_of(tx, org):
            print(
                f"mandate    {m.mandate} {m.authority}/{m.emergency} {m.issuer} {m.number},"
                f" {m.dated} to {m.until or 'open'}: {', '.join(m.circumstances)}"
            )
        for d in mandates.assessments_of(tx, org):
            print(f"assessment {d.assessment} {d.about}, {d.dated} to {d.until}: {d.sha256}")
        for a in mandates.agreements_of(tx, org):
            what = ", ".join(a.categories)
            print(f"agreement  {a.agreement} {a.processor} for {a.purpose} to {a.until}: {what}")


def _check_about(parts: Parts, about: str) -> None:
    """Return if an assessment can be about that.

    Raises:
        InputError: It is neither a circumstance nor a hold.
    """
    hold, slash, circumstance = about.partition("/")
    named = circumstance if hold == ABOUT and slash else about
    if about != ABOUT and named not in parts.standard.circumstances:
        raise InputError(f"{named!r} is no circumstance of the standard")
