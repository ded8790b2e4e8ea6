"""Imports: look at a list, bring it in, and tell its people afterwards.

Whoever runs the machine can bring a list in; letters and the register of who was told ask for who signs in,
because a receipt code opens its record.
"""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

from epilock.accounts.staff import Staff
from epilock.assemble import Parts
from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, opened
from epilock.collect import qr
from epilock.collect.intake import register, told
from epilock.collect.intake.mapping import ColumnMap, map_columns
from epilock.collect.intake.preview import Preview, preview
from epilock.collect.intake.read import open_table
from epilock.collect.intake.register import Import
from epilock.collect.intake.run import run, target_of
from epilock.collect.intake.table import Source
from epilock.errors import ForbiddenError, InputError, NotFoundError
from epilock.standard.level import CHINA

app = typer.Typer(no_args_is_help=True, help="Import of lists: CSV, XLSX, Parquet.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV, XLSX or Parquet file.")]
Point = Annotated[str, typer.Option("--point", help="The point's code, such as works.k3f7q2")]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=TARGET",
        help="A header (or #3) and where it goes: a field, signed-on, act:<id>, or - to leave it out.",
    ),
]
Sheet = Annotated[str, typer.Option(help="Name of the sheet, where a workbook has several.")]
Code = Annotated[str, typer.Argument(metavar="IMPORT", help="As `epilock import list` shows it.")]
OrgOption = Annotated[str, typer.Option("--org", help="Organisation whose it is.")]


@app.command("preview")
def show_preview(
    file: File,
    *,
    point: Point,
    map_: Maps = None,
    sheet: Sheet = "",
    home: Home = None,
    now: At = None,
) -> None:
    """Show where each column goes, what the standard refuses, and what the first rows look like."""
    with opened(home, now) as parts:
        target = target_of(parts.intake, _org(point), point)
        table = open_table(_source(file, sheet))
        mapping = map_columns(parts.standard, target.form, table, _mapped(map_))
        found = preview(
            target.form, table, mapping, issued=target.issued.issued.astimezone(CHINA).date(),
            today=parts.now().astimezone(CHINA).date(),
        )  # fmt: skip
    _print_preview(found)
    if mapping.missing:
        print(f"missing: {', '.join(mapping.missing)}")
        raise typer.Exit(1)


@app.command("run")
def bring_in(
    file: File,
    *,
    point: Point,
    map_: Maps = None,
    sheet: Sheet = "",
    report: Annotated[
        Path | None, typer.Option(help="CSV of the rows that were refused: number, field, code.")
    ] = None,
    home: Home = None,
    now: At = None,
) -> None:
    """Bring a list in, or go on where it stopped: run the same command again."""
    with opened(home, now) as parts:
        done = run(
            parts.intake, _source(file, sheet), org=_org(point), point=point, by="system",
            by_hand=_mapped(map_), now=parts.now, told=_progress,
        )  # fmt: skip
        if report is not None:
            _write_report(parts, done, report)
        with parts.database.read() as tx:
            left = told.untold(tx, done)
    _print_left_out(done)
    print(f"{done.id} is done: {done.stored} rows stored, {done.refused} refused")
    if left:
        print(f"{left} people are to be told: epilock import notices {done.id} --org {done.org}")
    if done.refused:
        raise typer.Exit(1)


@app.command("list")
def list_(
    org: Annotated[str, typer.Argument(help="Code of the organisation.")], *, home: Home = None
) -> None:
    """List an organisation's imports, the latest first, and how many people are still to be told."""
    with opened(home) as parts, parts.database.read() as tx:
        for found in register.listing(tx, org):
            print(
                f"{found.id} {found.point:20} {found.started.astimezone(CHINA):%Y-%m-%d %H:%M}"
                f" {found.state:8} {found.stored} stored, {found.refused} refused,"
                f" {told.untold(tx, found)} to be told"
            )


@app.command("report")
def show_report(
    code: Code,
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    *,
    org: OrgOption,
    home: Home = None,
) -> None:
    """Write the rows that were refused, by number, field and code; no value is in it."""
    with opened(home) as parts:
        with parts.database.read() as tx:
            found = register.load(tx, org, code)
        count = _write_report(parts, found, out)
    print(f"{count} problems in {out}")


@app.command("notices")
def write_notices(
    code: Code,
    *,
    org: OrgOption,
    out: Annotated[Path, typer.Option("--out", help="CSV, made with mode 0600.")],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Write row number, receipt code and address for each person's letter; the ledger says so first."""
    with opened(home, now) as parts:
        staff = _own(parts, who, org)
        with _private(out) as stream:
            found = told.announce(parts.intake, org, code, by=staff.staff, now=parts.now())
            count = _write_letters(parts, found, stream)
    print(
        f"{count} letters in {out}; keep it as you would keep the list, and delete it once they are sent"
    )


@app.command("told")
def mark_told(
    code: Code,
    *,
    org: OrgOption,
    way: Annotated[str, typer.Option(help=", ".join(told.WAYS))],
    rows: Annotated[
        str, typer.Option(help="First and last row, such as 2-500; all that are left if not given.")
    ] = "",
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Note that the people of an import were told."""
    with opened(home, now) as parts:
        staff = _own(parts, who, org)
        with parts.database.write() as tx:
            found = register.load(tx, org, code)
            count = told.mark_told(
                tx, parts.intake, found, way=way, by=staff.staff, now=parts.now(),
                rows=_range(rows),
            )  # fmt: skip
            left = told.untold(tx, found)
    print(f"{count} people were told; {left} are left")


def _org(point: str) -> str:
    org, dot, _ = point.partition(".")
    if not dot:
        raise InputError("a point's code is written organisation.code, such as works.k3f7q2")
    return org


def _source(file: Path, sheet: str) -> Source:
    return Source(path=str(file), name=file.name, sheet=sheet)


def _mapped(given: list[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given or []:
        column, equals, target = each.rpartition("=")
        if not equals:
            raise InputError("--map is written COLUMN=TARGET, such as 手机号码=mobile")
        if column in found:
            raise InputError("a column is mapped once")
        found[column] = target
    return found


def _own(parts: Parts, who: str, org: str) -> Staff:
    """Return the custodian of ``org`` who signs in."""
    staff = signed_in(parts, who, "custodian")
    if staff.org != org:
        raise ForbiddenError("this takes a custodian of the organisation whose import it is")
    return staff


def _range(rows: str) -> tuple[int, int] | None:
    if not rows:
        return None
    first, _, last = rows.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise InputError("--rows is written first-last, such as 2-500")
    return int(first), int(last or first)


def _progress(found: Import) -> None:
    print(f"row {found.last_row}: {found.stored} stored, {found.refused} refused", flush=True)


def _write_report(parts: Parts, found: Import, out: Path) -> int:
    with parts.database.read() as tx:
        troubles = register.troubles(tx, found)
    with out.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(["row", "field", "problem"])
        lines.writerows(troubles)
    return len(troubles)


@contextmanager
def _private(out: Path) -> Iterator[IO[str]]:
    """Make a file that only its owner reads; one that is there is not overwritten."""
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError(f"{out} is there already; name a new file") from None
    except OSError as error:
        raise NotFoundError(f"{out} can't be made: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
        yield stream


def _write_letters(parts: Parts, found: Import, stream: IO[str]) -> int:
    lines = csv.writer(stream)
    lines.writerow(["row", "code", "address"])
    count = 0
    for letter in told.letters(parts.intake, found):
        lines.writerow([letter.row, letter.code, qr.receipt_url(parts.settings.url, letter.code)])
        count += 1
    return count


def _print_left_out(found: Import) -> None:
    for column in found.left_out:
        print(f"left out: {column.header} ({column.verdict}) {column.rule}")


def _print_preview(found: Preview) -> None:
    grid = Grid("column", "goes to", "verdict", "good", "problems", "looks like")
    grid.add_column("rule", overflow="fold")
    for each in found.columns:
        column = each.column
        grid.add_row(
            column.header, column.target or "-", column.verdict,
            f"{each.good}/{found.rows}" if column.target else "",
            ", ".join(f"{code} {n}" for code, n in each.bad.items()), "  ".join(each.shapes),
            column.rule,
        )  # fmt: skip
    Console(width=150, markup=False).print(grid)
    print(f"{found.good} of the first {found.rows} rows would be stored")
    for code, count in found.wrong.items():
        print(f"  {code}: {count}")
    if not found.mapping.missing:
        print(_when(found.mapping))


def _when(mapping: ColumnMap) -> str:
    if mapping.afterwards:
        return "the people are told afterwards (PIPL 18): each gets a letter with a receipt code"
    return "the people were told before: each row says when they signed"
