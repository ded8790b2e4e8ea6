"""The whole published log tells who: nobody, whatever hostile names come in by whichever door.

What goes in holds names, numbers and file names that occur nowhere else: an imported list, its name, its
headers and its bad rows; submissions, good and bad; the name of a point; the reasons that staff give. Then
the log as the world has it is searched: each entry, tile, bundle, policy and checkpoint, every path, a
mirror's folder, a witness's memory, proofs, and the call that anchors the log on a chain.
"""

from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
from works import HEADERS, ORG, table

import passwords
from epilock.accounts import staff
from epilock.collect import issue
from epilock.collect.form import Submission
from epilock.destroy import erasure, run
from epilock.errors import EpilockError
from epilock.ledger import publish, regime
from epilock.ledger.anchor import contract
from epilock.ledger.mirror import Mirror
from epilock.ledger.source import Folder
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.key import Cosigner
from epilock.ledger.witness.memory import Memory
from epilock.ledger.witness.request import AddCheckpoint
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.use import grant
from traces import forms_of

NAME, MOBILE, ID = "欧阳金丝雀", "13976540077", "37010219900307771X"
LISTED = ("司马云雀儿", "13976540078", "36.6", "阴性", "370102199003077728")
BAD = ("东方夜莺鸟", "139-CANARY-9", "99.87", "阴性", "37010219900307773X")
FILE = f"{NAME} {MOBILE} 确诊名单.csv"
HEADER = "黄鹂鸟13976540079的病史"
PLACE = "金丝雀胡同77号院张画眉家"
REASON = "查一下画眉鸟13976540080是否去过"
LOGIN = "hua-mei-13976540081"
CANARIES = {
    NAME,
    MOBILE,
    ID,
    *(v for v in (*LISTED, *BAD) if len(v) > 4),
    FILE,
    HEADER,
    PLACE,
    REASON,
    LOGIN,
}
NEEDLES = {needle for value in CANARIES for needle in forms_of(value)}
WITNESS = (
    Cosigner.ed25519("witness.example/audit", b"\x02" * 32),
    Cosigner.ml_dsa_44("witness.example/audit", b"\x03" * 32),
)


def test_the_published_log_names_nobody(works, clock, tmp_path):
    parts, public = works.parts, tmp_path / "public"
    gate = works.point(name=Text(PLACE, PLACE))
    rows = [list(LISTED), list(BAD), [NAME, MOBILE, "36.5", "阴性", ID]]
    works.run(gate, works.file(table(rows), FILE))
    works.run(gate, works.file(table([[*rows[0], "x"]], (*HEADERS, HEADER)), f"2 {FILE}"))
    stored = submit(works)
    work_of_staff(works)
    with parts.database.write() as tx:
        bucket = buckets.load_by_name(tx, ORG, stored.bucket)
        erasure.erase(
            tx, parts.log, parts.standard, org=ORG, bucket=bucket.id, n=stored.n, reason="withdrawal",
            now=clock(),
        )  # fmt: skip
        text = f"log {parts.log.signer.vkey}\nquorum none\n".encode()
        regime.announce(
            tx, parts.log, standard_ref=works.ref, text=text, since=clock().date(), now=clock()
        )
    run.run(parts.tools, now=clock())
    clock.forward(days=120)
    run.run(parts.tools, now=clock())
    publish.write(parts.database, parts.log, public)
    keys = parts.log.verifiers
    Mirror(Folder(public), keys, tmp_path / "copy", cosigners=WITNESS).round(clock())
    memory = Memory(tmp_path / "witness")
    memory.folder.mkdir()
    memory.add(keys[0])
    with parts.database.read() as tx:
        head = parts.log.head(tx)
        signed = parts.log.checkpoint(tx)
        proofs = [parts.log.proof(tx, index).encode() for index in range(head.size)]
        entries = parts.log.entries(tx, 0, head.size)
    Witness(memory, WITNESS).add_checkpoint(AddCheckpoint(0, (), signed).body(), now=clock())
    call = contract.call(
        "anchor(bytes32,uint64,bytes32)",
        sha256(head.origin.encode()).digest(),
        head.size,
        head.root,
    )
    told = [
        *entries,
        *proofs,
        call,
        *(at_rest(tmp_path / name) for name in ("public", "copy", "witness")),
    ]
    assert b"import-completed" in b"".join(entries)  # it is the right log
    assert [needle for needle in NEEDLES if any(needle in data for data in told)] == []
    for (
        data
    ) in told:  # and what is hashed, is hashed with a key: no digest of a value alone stands there
        for value in CANARIES:
            assert sha256(value.encode()).hexdigest().encode() not in data
            assert sha256(value.encode()).digest() not in data


def submit(works):
    """Through a page's form: wrongly, then rightly."""
    code = works.point(method="qr-form", name=Text("门", "Gate"), asked=ASKED)
    parts = works.parts
    with parts.database.read() as tx:
        form = issue.form_of(parts.standard, *issue.in_force(tx, ORG, code))
    given = [act for act in form.acts.ids if act != "guardian"]
    good = {"name": NAME, "mobile": MOBILE}
    for client, fields in (
        (str(uuid4()), {**good, "mobile": BAD[1]}),
        (NAME, good),
        (str(uuid4()), {**good, HEADER: ID}),
    ):
        with pytest.raises(EpilockError):
            form.accept(
                Submission(
                    client=client, notice=form.notice, given=given, fields=fields, language="zh"
                ),
                today=works.clock().date(),
            )
    said = Submission(
        client=str(uuid4()), notice=form.notice, given=given, fields=good, language="zh"
    )
    (stored,) = parts.keeper.store(
        (form.accept(said, today=works.clock().date()),), now=works.clock
    )
    return stored


def work_of_staff(works):
    """An account whose login is a name, and a grant whose reason names a person."""
    parts, now = works.parts, works.clock()
    with parts.database.write() as tx:
        who, _ = staff.add_staff(
            tx,
            parts.log,
            standard_ref=works.ref,
            org=ORG,
            login=LOGIN,
            roles=("analyst",),
            now=now,
            once=passwords.once(),
        )
        by, _ = staff.add_staff(
            tx,
            parts.log,
            standard_ref=works.ref,
            org=ORG,
            login="second",
            roles=("approver",),
            now=now,
            once=passwords.once(),
        )
        asked = grant.request(
            tx, parts.standard, who, source=ORG, purpose="personnel", form="masked", subjects=1,
            circumstances=("workplace-entry",), case=f"C {NAME}", reason=REASON,
            until=now + timedelta(days=1), now=now,
        )  # fmt: skip
        grant.decide(
            tx,
            parts.log,
            parts.keys,
            standard_ref=works.ref,
            org=ORG,
            grant=asked.grant,
            by=by,
            approve=True,
            now=now,
        )


def at_rest(folder):
    """Every file below a folder, with its path."""
    return b"\n".join(
        str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


ASKED = {"name": "identity.name", "mobile": "contact.mobile"}
