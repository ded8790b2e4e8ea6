"""Points: open one from its description or from a form that others designed, close it, print its poster."""

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from epilock.assemble import Parts
from epilock.cli.files import read_small, write
from epilock.cli.identity import ask
from epilock.cli.installation import At, Home, instant_text, opened
from epilock.cli.standard_check import Language
from epilock.collect import issue, notice, notice_page, qr, tally
from epilock.collect import point as points
from epilock.collect.adopt import adopt
from epilock.collect.design.read import MAX_BYTES
from epilock.collect.point import Plan
from epilock.errors import FileFormatError, InputError
from epilock.standard.text import Text

app = typer.Typer(no_args_is_help=True, help="Collection points.")
Code = Annotated[str, typer.Argument(help="The point's code, such as sunny.k3f7q2")]


def _org(point: str) -> str:
    org, dot, _ = point.partition(".")
    if not dot:
        raise InputError("a point's code is written organisation.code, such as sunny.k3f7q2")
    return org


@app.command("open")
def open_(
    org: Annotated[str, typer.Argument(help="Code of the organisation that collects.")],
    *,
    file: Annotated[
        Path, typer.Option("--from", help="Point TOML, XLSForm, FHIR Questionnaire, CSV or XLSX.")
    ],
    emergency: Annotated[
        str | None, typer.Option(help="authority/code; not with a point TOML, which names it.")
    ] = None,
    circumstance: Annotated[
        str | None, typer.Option(help="Such as residential-entry; not with a point TOML.")
    ] = None,
    name_zh: Annotated[str, typer.Option(help="Its name in Chinese; the file's if left out.")] = "",
    name_en: Annotated[str, typer.Option(help="Its name in English; the file's if left out.")] = "",
    method: Annotated[
        str, typer.Option(help="How it is asked, a code of the standard.")
    ] = "qr-form",
    keep_unknown: Annotated[
        bool, typer.Option("--ask/--drop", help="Ask what an unknown field is, or drop it.")
    ] = False,
    home: Home = None,
    now: At = None,
) -> None:
    """Open a point; what the standard refuses is named and left out."""
    with opened(home, now) as parts:
        if file.suffix == ".toml":
            plan = points.parse(_toml(file))
            if emergency or circumstance:
                raise InputError("a point TOML names its own emergency and circumstance")
        else:
            if emergency is None or circumstance is None:
                raise InputError("a form of others needs --emergency and --circumstance")
            answer = _ask if keep_unknown else None
            adopted = adopt(
                parts.standard, read_small(file, MAX_BYTES), file.suffix, circumstance=circumstance,
                method=method, ask=answer,
            )  # fmt: skip
            for dropped in adopted.dropped:
                print(f"left out: {dropped.field} ({dropped.verdict}) {dropped.rule}")
            plan = Plan(
                emergency=emergency, circumstance=circumstance, method=method,
                name=Text(name_zh or file.stem, name_en or file.stem), fields=adopted.fields,
            )  # fmt: skip
        with parts.database.write() as tx:
            point = issue.open_with_notice(tx, parts.press, org=org, plan=plan, now=parts.now())
        with parts.database.read() as tx:
            _, issued = issue.in_force(tx, org, point.point)
        print(f"{point.point} is open; notice version {issued.notice.version} {issued.sha256[:16]}")
        print(_address(parts, point.point))


def _toml(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(read_small(file).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{file.name} is not TOML in UTF-8: {error}") from None


def _ask(label: str) -> str | None:
    return ask(f"What is {label!r}? A category, or empty to leave it out") or None


def _address(parts: Parts, point: str) -> str:
    mark = notice.fingerprint(parts.notice_signer(_org(point)).verifier.public)
    return qr.point_url(parts.settings.url, point, mark)


@app.command("list")
def list_(
    org: Annotated[str, typer.Argument(help="Code of the organisation.")], *, home: Home = None
) -> None:
    """List an organisation's points, the latest first."""
    with opened(home) as parts, parts.database.read() as tx:
        for p in points.listing(tx, org):
            state = "open" if p.closed is None else f"closed {p.closed:%Y-%m-%d}"
            print(
                f"{p.point:40} {p.circumstance:20} v{p.version} {state:18} {p.name.zh} / {p.name.en}"
            )


@app.command("notice")
def show_notice(
    code: Code,
    *,
    language: Annotated[Language, typer.Option(help="Of the text.")] = Language.zh,
    home: Home = None,
) -> None:
    """Print the notice in force."""
    with opened(home) as parts, parts.database.read() as tx:
        _, issued = issue.in_force(tx, _org(code), code)
        print(notice_page.text(issued.notice, language.value))


@app.command("counts")
def show_counts(code: Code, *, home: Home = None) -> None:
    """Show how often each notice was shown, given, refused or left since the log last said so."""
    with opened(home) as parts, parts.database.read() as tx:
        points.load(tx, _org(code), code)
        for c in tally.of_point(tx, _org(code), code):
            print(
                f"notice {c.notice[:16]} since {instant_text(c.since)}: shown {c.shown},"
                f" given {c.given}, refused {c.refused}, left {c.left}"
            )


@app.command("close")
def close(
    code: Code,
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the public log.")],
    home: Home = None,
    now: At = None,
) -> None:
    """Close a point: it takes nothing more; what it took stays under its clocks."""
    with opened(home, now) as parts, parts.database.write() as tx:
        points.close_point(
            tx,
            parts.log,
            parts.standard,
            org=_org(code),
            point=code,
            reason=reason,
            now=parts.now(),
        )
    print(f"{code} is closed")


@app.command("qr")
def code_image(
    code: Code,
    *,
    out: Annotated[
        Path | None, typer.Option(help="A .svg or .png file; else the terminal.")
    ] = None,
    home: Home = None,
) -> None:
    """Show the QR code of a point's page."""
    with opened(home) as parts, parts.database.read() as tx:
        points.load(tx, _org(code), code)
        address = _address(parts, code)
    if out is None:
        print(qr.terminal(address))
    elif out.suffix == ".svg":
        write(out, qr.svg(address).encode())
    elif out.suffix == ".png":
        write(out, qr.png(address))
    else:
        raise InputError("--out must end in .svg or .png")
    print(address)


@app.command("poster")
def print_poster(
    code: Code,
    out: Annotated[Path, typer.Argument(help="The PDF file to write.")],
    *,
    home: Home = None,
    now: At = None,
) -> None:
    """Write the A4 poster (PDF) with the code, the notice in short and the fingerprint."""
    with opened(home, now) as parts:
        with parts.database.read() as tx:
            point, issued = issue.in_force(tx, _org(code), code)
        write(out, issue.poster_of(parts.press, point, issued, now=parts.now()))
    print(out)
