"""Commands of the end: what is due, the run, orders, holds, events, and the proof of each receipt.

``run``, ``due``, ``orders``, ``holds`` and ``prove`` take nobody's word; what people decide asks who they are.
A bucket is named as in the ledger: ``organisation/emergency/circumstance/day``.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from epilock.accounts.staff import Staff
from epilock.assemble import Parts
from epilock.cli.files import read_small
from epilock.cli.identity import As, check_over, signed_in
from epilock.cli.installation import At, Home, day, instant_text, make_folder, opened
from epilock.cli.verdict import fail, print_json
from epilock.cli.verify import AsJson, Keys, PolicyFile, read_keys
from epilock.db import Transaction
from epilock.destroy import certificate
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy import order as orders
from epilock.destroy import run as runs
from epilock.destroy.due import DuePart
from epilock.destroy.intent import Intent
from epilock.destroy.move import Mover
from epilock.errors import EpilockError, ForbiddenError, InputError
from epilock.ledger import policy
from epilock.store import bucket as buckets
from epilock.store.bucket import Bucket

app = typer.Typer(no_args_is_help=True, help="The end of data: due, orders, holds, events, proofs.")

MOST_NUMBER = 2**31 - 1  # what a column of numbers holds; a bucket has far fewer
BucketName = Annotated[
    str, typer.Argument(metavar="BUCKET", help="organisation/emergency/circumstance/day[+event]")
]
Org = Annotated[str | None, typer.Argument(help="Only this organisation.")]
OrderCode = Annotated[str, typer.Argument(help="The order's code, such as o-k3f7q2xw5mza.")]
HoldCode = Annotated[str, typer.Argument(help="The hold's code, such as h-k3f7q2xw5mza.")]
OrgOption = Annotated[str, typer.Option("--org", help="Organisation whose it is.")]


@app.command("run")
def run(
    org: Org = None,
    *,
    keep_rows: Annotated[
        bool, typer.Option("--keep-rows", help="Leave the dead rows to the background.")
    ] = False,
    home: Home = None,
    now: At = None,
) -> None:
    """Complete what was announced, destroy what is due, certify, and delete the dead rows."""
    with opened(home, now) as parts:
        done = runs.run(parts.tools, now=parts.now(), org=org)
        for intent in done:
            print(_certified(parts, intent))
        rows = 0 if keep_rows else runs.purge(parts.tools, now=parts.now(), org=org)
    print(f"{len(done)} certified, {rows} dead rows deleted")


@app.command("due")
def list_due(
    org: Org = None,
    *,
    days: Annotated[
        int, typer.Option(min=0, max=36_500, help="What falls due in so many days.")
    ] = 7,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what should be gone.")] = False,
    home: Home = None,
    now: At = None,
) -> None:
    """List what falls due, the next to go first; exit code 1 if something is overdue."""
    with opened(home, now) as parts:
        at = parts.now()
        with parts.database.read() as tx:
            found = dues.calendar(
                tx, parts.standard, now=at, org=org, until=at + timedelta(days=days)
            )
    late = [d for d in found if d.is_overdue(at)]
    for each in late if overdue else found:
        print(_due(each, at))
    if late:
        print(f"{len(late)} parts are overdue")
        raise typer.Exit(1)
    print("nothing is overdue")


@app.command("order")
def propose(
    bucket: BucketName,
    part: Annotated[list[str], typer.Argument(help="Parts, such as 3-II; or `all`.")],
    *,
    reason: Annotated[str, typer.Option(help=", ".join(orders.REASONS))],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Propose to destroy parts that are due, or whose emergency has ended; another person approves."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, "custodian")
        with parts.database.write() as tx:
            found = _own_bucket(tx, staff, bucket)
            order = orders.propose(
                tx, parts.log, parts.standard, org=found.org, bucket=found.id,
                parts=found.live if part == ["all"] else part, reason=reason, by=staff.staff,
                cooling=parts.settings.cooling, now=parts.now(),
            )  # fmt: skip
    print(f"{order.order} waits for a second person; not before {instant_text(order.not_before)}")


@app.command("orders")
def list_orders(org: Org = None, *, home: Home = None, now: At = None) -> None:
    """List the orders that wait."""
    with opened(home, now) as parts, parts.database.read() as tx:
        for o in orders.listing(tx, org):
            name = buckets.load(tx, o.org, o.bucket).name
            print(
                f"{o.order} {o.stage:9} {name} {','.join(o.parts)} by {o.by},"
                f" not before {instant_text(o.not_before)}"
            )


@app.command("approve")
def approve(
    order: OrderCode, *, org: OrgOption, who: As, home: Home = None, now: At = None
) -> None:
    """Approve an order as the second person; its cooling time begins."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, "approver")
        with parts.database.write() as tx:
            approved = orders.approve(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, order=order,
                by=staff.staff, by_org=staff.org, now=parts.now(),
            )  # fmt: skip
    print(
        f"{order} is carried out after {instant_text(approved.not_before)} unless it is cancelled"
    )


@app.command("cancel")
def cancel(order: OrderCode, *, org: OrgOption, who: As, home: Home = None, now: At = None) -> None:
    """Cancel an order before it is carried out."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, "custodian", "approver")
        with parts.database.write() as tx:
            check_over(tx, staff, org)
            orders.cancel(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, order=order,
                by=staff.staff, now=parts.now(),
            )  # fmt: skip
    print(f"{order} is cancelled")


@app.command("hold")
def place(
    bucket: Annotated[
        str, typer.Argument(metavar="BUCKET|ORG", help="One bucket; or an organisation, with days.")
    ],
    *,
    assessment: Annotated[str, typer.Option(help="Code of the assessment it rests on.")],
    reason: Annotated[str, typer.Option(help=", ".join(holds.REASONS))],
    until: Annotated[str, typer.Option(help="Its last day, such as 2026-05-31.")],
    circumstance: Annotated[str | None, typer.Option(help="With ORG: which buckets.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="With ORG: first day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="With ORG: last day.")] = None,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Keep buckets beyond their day as evidence or for an investigation; meanwhile only stored."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, "custodian", "supervisor")
        with parts.database.write() as tx:
            org = _org(bucket)
            check_over(tx, staff, org)
            shared: dict[str, Any] = {
                "standard_ref": parts.standard.ref, "org": org, "assessment": assessment,
                "reason": reason, "last_day": day(until), "by": staff.staff, "now": parts.now(),
            }  # fmt: skip
            if "/" in bucket:
                found = buckets.load_by_name(tx, org, bucket)
                placed = [holds.place(tx, parts.log, bucket=found.id, **shared)]
            elif circumstance is None or first is None or last is None:
                raise InputError("an organisation's buckets need --circumstance, --from and --to")
            else:
                placed = holds.place_scope(
                    tx, parts.log, circumstance=circumstance, days=(day(first), day(last)), **shared
                )
    for hold in placed:
        print(f"{hold.hold} holds bucket {hold.bucket} to the end of {hold.last_day}")


@app.command("holds")
def list_holds(org: Org = None, *, home: Home = None, now: At = None) -> None:
    """List the holds that last."""
    with opened(home, now) as parts, parts.database.read() as tx:
        for h in holds.listing(tx, org, now=parts.now()):
            name = buckets.load(tx, h.org, h.bucket).name
            print(f"{h.hold} {name} {h.reason} to the end of {h.last_day}, {h.assessment}")


@app.command("release")
def release(hold: HoldCode, *, org: OrgOption, who: As, home: Home = None, now: At = None) -> None:
    """End a hold before its time; what is due by then goes with the next run."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, "custodian", "approver", "supervisor")
        with parts.database.write() as tx:
            check_over(tx, staff, org)
            holds.release(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, hold=hold,
                by=staff.staff, now=parts.now(),
            )  # fmt: skip
    print(f"{hold} is released")


@app.command("event")
def start_clock(
    bucket: BucketName,
    number: Annotated[
        list[int], typer.Argument(min=0, max=MOST_NUMBER, help="Record numbers in the bucket.")
    ],
    *,
    event: Annotated[str, typer.Option(help="Such as release, delivery, case-closed.")],
    on: Annotated[str, typer.Option("--day", help="The event's day, such as 2026-03-20.")],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Note the event that starts the clock of records; all of them or none."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, "custodian")
        mover = Mover(parts.log, parts.keys, parts.standard)
        with parts.database.write() as tx:
            found = _own_bucket(tx, staff, bucket)
            for n in number:
                mover.start_clock(tx, bucket=found, n=n, event=event, day=day(on), now=parts.now())
            mover.give_back(tx, now=parts.now())
        runs.complete(parts.tools, now=parts.now(), org=found.org)
    print(f"{len(number)} records go on in the bucket of {on}+{event}")


@app.command("prove")
def prove(
    bucket: BucketName,
    number: Annotated[
        int, typer.Argument(min=0, max=MOST_NUMBER, help="Record number, as the receipt says.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the .tlog-proof files.")],
    home: Home = None,
) -> None:
    """Write the proofs of one record's destruction, for the holder of its receipt."""
    with opened(home) as parts, parts.database.read() as tx:
        org = _org(bucket)
        found = buckets.load_by_name(tx, org, bucket)
        proofs = certificate.prove(tx, parts.log, org, found.id, number)
    make_folder(out)
    for proof in proofs:
        file = out / f"entry-{proof.index}.tlog-proof"
        file.write_text(proof.text, encoding="utf-8")
        print(f"{file}: {proof.kind} {', '.join(proof.parts)}".rstrip())
    if not proofs:
        print("nothing of it is destroyed yet")
        raise typer.Exit(1)


@app.command("verify")
def verify(
    receipt: Annotated[Path, typer.Argument(help="The receipt's .tlog-proof.")],
    proof: Annotated[list[Path] | None, typer.Argument(help="What `prove` wrote.")] = None,
    *,
    key: Keys = None,
    policy_file: PolicyFile = None,
    as_json: AsJson = False,
) -> None:
    """Check offline that all of a receipt's record is gone: exit code 0 only if every part is."""
    if not key and policy_file is None:
        raise InputError("give the log's --key, or a --policy that lists it")
    keys, files = read_keys(key), [read_small(each) for each in (receipt, *(proof or ()))]
    rule = None if policy_file is None else read_small(policy_file)
    try:
        trust = None if rule is None else policy.parse(rule)
        gone = certificate.check_all(files[0], files[1:], keys, trust)
    except EpilockError as error:
        fail(error, "destruction", as_json=as_json)
    if as_json:
        print_json({"ok": True, "kind": "destruction", "gone": gone})
        return
    for each in gone:
        name, n = each.place
        print(
            f"part {each.part} of {name} number {n}: {each.kind}, entry {each.index}, in the hour from {each.at}"
        )
    print("ALL OF IT IS GONE, as this log says and proves")


def _own_bucket(tx: Transaction, staff: Staff, bucket: str) -> Bucket:
    """Return the bucket if it is of the organisation that ``staff`` belongs to.

    Raises:
        ForbiddenError: It is another's.
        NotFoundError: There is none of that name.
    """
    if staff.org != _org(bucket):
        raise ForbiddenError("this is decided in the organisation that collected the records")
    return buckets.load_by_name(tx, staff.org, bucket)


def _org(bucket: str) -> str:
    return bucket.partition("/")[0]


def _certified(parts: Parts, intent: Intent) -> str:
    with parts.database.read() as tx:
        name = buckets.load(tx, intent.org, intent.bucket).name
    what = name if intent.n is None else f"{name} number {intent.n}"
    whole = "" if intent.done is not None else " (incomplete: leases are out)"
    return f"{what}: {', '.join(intent.parts)} gone, entry {intent.entry_index}{whole}"


def _due(found: DuePart, at: datetime) -> str:
    last = "no day yet" if found.due.last_day is None else f"{found.due.last_day}"
    state = "OVERDUE" if found.is_overdue(at) else "due" if found.is_due(at) else ""
    if found.hold is not None:
        state = f"held to the end of {found.hold.last_day}"
    return f"{last:10} {found.bucket.name} {found.part} {found.due.rule} {state}".rstrip()
