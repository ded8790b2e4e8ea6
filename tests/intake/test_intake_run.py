"""What an import promises: each row once, nothing that is refused, and on from where it stopped."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from works import HEADERS, ORG, STAFF, person, table

from epilock.collect.intake import prepare, register
from epilock.collect.intake import run as running
from epilock.collect.intake.line import InTurn
from epilock.db import metadata
from epilock.errors import (
    ClosedError,
    ConflictError,
    ConsentError,
    FileFormatError,
    InputError,
    RefusedError,
    StaleNoticeError,
)
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules
from epilock.ledger.log import Log
from epilock.registry import emergency as emergencies
from epilock.standard.level import CHINA
from epilock.store.check import check

ROWS = [person(n) for n in range(9)]
BAD = [
    ["测甲", "12", "36.6", "阴性", ""],
    ["", "13800000001", "60", "阴性", ""],
    ["测乙", "13800000002", "36.6", "阴性", "", "one cell too many"],
    ["测丙", "13800000003", "36.6", "阴性"],
    ["", "", "", "", "only a refused cell"],
]


class StopError(Exception):
    """A crash that a test makes."""


def stop_at(count):
    """A hook that crashes after ``count`` commits."""

    def told(found):
        if found.batches == count:
            raise StopError

    return told


class Head(Log):
    """A log for whose head a batch waits while another has it, who does what ``before`` says."""

    before = None

    def append(self, tx, entries, *, now):
        if not entries and self.before is not None:
            before, self.before = self.before, None
            before()
        return super().append(tx, entries, now=now)


def fall(works):
    """Let the level fall; the notices are still to follow."""
    works.clock.instant += timedelta(seconds=2)
    with works.parts.database.write() as tx:
        emergencies.change_level(
            tx, works.parts.log, standard_ref=works.ref, authority="city", emergency="flu",
            level="III", issuer="City", instrument="No. 2", date_=works.clock().date(),
            expected_end=None, now=works.clock(),
        )  # fmt: skip


class TestRun:
    def test_each_row_is_a_record_with_an_entry_of_its_own(self, works):
        point = works.point()
        done = works.run(point, works.file(table(ROWS)))
        assert (done.state, done.stored, done.refused, done.last_row) == ("done", 9, 0, 10)
        opened = sorted(works.opened().values())
        assert len(opened) == len(works.said("collect")) == 9
        assert "测一".encode() in b"".join(opened)
        assert list(check(works.parts.database, works.parts.keys, works.parts.log)) == []

    def test_the_ledger_says_that_people_are_to_be_told_and_names_no_file(self, works):
        source = works.file(table(ROWS), "张三的名单.csv")
        done = works.run(works.point(), source)
        begun, ended = works.said("import"), works.said("import-completed")
        assert [(e.import_id, e.afterwards, list(e.refused)) for e in begun] == [
            (done.id, True, ["identity.resident-id"])
        ]
        assert [(e.import_id, e.stored, e.refused) for e in ended] == [(done.id, 9, 0)]

    def test_a_monitor_accepts_it(self, works, tmp_path):
        works.run(works.point(), works.file(table(ROWS)))
        assert audit(works) == []

    def test_a_refused_column_is_never_stored(self, works):
        done = works.run(works.point(), works.file(table(ROWS)))
        assert [(c.header, c.verdict) for c in done.left_out] == [("身份证号", "refused")]
        assert b"secret" not in everything(works)
        assert not any(b"secret" in plain for plain in works.opened().values())

    def test_no_name_or_number_lies_open_in_the_database(self, works):
        works.run(works.point(), works.file(table(ROWS)))
        assert not any(p[1].encode() in everything(works) for p in ROWS)

    def test_the_same_file_again_stores_nothing(self, works):
        point, source = works.point(), works.file(table(ROWS))
        first = works.run(point, source)
        works.tomorrow()
        assert works.run(point, source) == first
        assert len(works.said("collect")) == 9
        assert len(works.said("import")) == 1

    def test_a_copy_under_another_name_is_the_same_file(self, works):
        point = works.point()
        first = works.run(point, works.file(table(ROWS)))
        assert works.run(point, works.file(table(ROWS), "copy.csv")) == first

    def test_with_another_mapping_it_is_a_conflict(self, works):
        point, source = works.point(), works.file(table(ROWS))
        works.run(point, source)
        with pytest.raises(ConflictError, match="another mapping"):
            works.run(point, source, by_hand={"核酸检测结果": "name", "姓名": "result"})
        assert len(works.said("collect")) == 9

    def test_a_second_process_does_the_same(self, works):
        done = works.run(works.point(), works.file(table(ROWS)), beside=True)
        assert (done.state, done.stored) == ("done", 9)
        assert len(works.opened()) == 9
        assert audit(works) == []

    def test_numbers_that_were_leased_and_not_used_are_given_back(self, works):
        works.run(works.point(), works.file(table(ROWS)), beside=True)
        with works.parts.database.read() as tx:
            bucket = running.buckets.listing(tx, ORG)[0]
            open_ = running.buckets.open_leases(tx, bucket, now=works.clock())
        assert len(open_) == 1  # the one that was used runs out by itself


class TestBadRows:
    def test_they_are_told_by_row_field_and_code(self, works):
        done = works.run(works.point(), works.file(table(BAD)))
        assert (done.stored, done.refused) == (1, 3)
        with works.parts.database.read() as tx:
            found = register.troubles(tx, done)
        assert found == [
            (2, "mobile", "mobile"), (3, "name", "empty"), (3, "temperature", "temperature"),
            (4, "-", "too-many-cells"),
        ]  # fmt: skip

    def test_no_value_of_theirs_is_kept(self, works):
        works.run(
            works.point(), works.file(table([["测甲", "13800000001-77", "36.6", "阴性", ""]]))
        )
        assert b"13800000001" not in everything(works)


class TestCrash:
    """Killed anywhere, it goes on behind the last commit: every row once, none twice."""

    @pytest.fixture
    def many(self, works):
        """A list of three batches."""
        rows = [person(n % 4000) for n in range(2 * 4096 + 10)]
        return works.point(), works.file(table(rows))

    @pytest.mark.parametrize("commits", [1, 2, 3])
    def test_after_each_commit(self, works, many, commits):
        point, source = many
        with pytest.raises(StopError):
            works.run(point, source, told=stop_at(commits))
        done = works.run(point, source)
        assert (done.state, done.stored) == ("done", 2 * 4096 + 10)
        assert len(works.said("collect")) == len(set(handles(works))) == 2 * 4096 + 10
        assert audit(works) == []

    def test_before_the_first_commit(self, works):
        point, source = works.point(), works.file(table(ROWS))

        def now():
            raise StopError

        with pytest.raises(StopError):
            works.run(point, source, now=now)
        assert works.said("import") == []
        assert works.run(point, source).stored == 9

    def test_a_commit_that_is_not_done(self, works):
        """The batch's transaction fails on its last step: nothing of it is there."""
        point, source = works.point(), works.file(table(ROWS))
        with works.parts.database.write() as tx:
            break_table(tx, "tags")
        with pytest.raises((sa.exc.DBAPIError, psycopg.Error)):
            works.run(point, source)
        with works.parts.database.write() as tx:
            mend_table(tx, "tags")
        assert works.opened() == {}
        assert works.said("collect") == []
        assert works.run(point, source).stored == 9
        assert len(works.opened()) == 9

    def test_done_but_reported_failed(self, works, many):
        """The commit stood, and whoever ran it never heard: the next run finds it."""
        point, source = many
        with pytest.raises(StopError):
            works.run(point, source, told=stop_at(3))
        assert works.run(point, source).stored == 2 * 4096 + 10
        assert len(works.said("import-completed")) == 1

    def test_two_at_once(self, works, many):
        """Only one of them gets on; the other stores nothing."""
        point, source = many

        def overtake(found):
            if found.batches == 1:
                works.run(point, source)

        with pytest.raises(ConflictError, match="another process"):
            works.run(point, source, told=overtake)
        assert len(works.said("collect")) == len(set(handles(works))) == 2 * 4096 + 10

    def test_over_midnight(self, works):
        """What is leased after midnight goes into the bucket of its own day."""
        rows = [person(n % 4000) for n in range(3 * 4096 + 10)]
        point, source = works.point(), works.file(table(rows))
        works.clock.instant = works.clock().astimezone(CHINA).replace(hour=23, minute=59)

        def told(found):
            works.clock.instant += timedelta(minutes=2)

        assert works.run(point, source, told=told).state == "done"
        assert {e.bucket[-10:] for e in works.said("collect")} == {"2026-03-14", "2026-03-15"}
        assert audit(works) == []


class TestKilled:
    def test_kill_9_at_random(self, works, tmp_path):
        """Processes die; what they committed stands, and the next one goes on."""
        point = works.point()
        rows = [person(n % 4000) for n in range(3 * 4096)]
        source = works.file(table(rows))
        url = str(works.parts.database.engine.url.render_as_string(hide_password=False))
        keys = str(works.parts.keys.database.engine.url.render_as_string(hide_password=False))
        program = tmp_path / "run.py"
        program.write_text(
            textwrap.dedent(f"""
                from datetime import datetime
                from pathlib import Path
                from epilock import assemble, settings
                from epilock.collect.intake.run import run
                from epilock.collect.intake.table import Source
                told = settings.read(
                    {{"EPILOCK_DATABASE": {url!r}, "EPILOCK_KEY_DATABASE": {keys!r}}},
                    home=Path({str(tmp_path / "home")!r}),
                )
                now = lambda: datetime.fromisoformat({works.clock().isoformat()!r})
                parts = assemble.build(told, now=now)
                print("ready", flush=True)
                run(parts.intake, Source(path={source.path!r}, name="list.csv"), org={ORG!r},
                    point={point!r}, by="s-tester", now=now,
                    told=lambda found: print(found.stored, flush=True))
            """)
        )
        for commits in (0, 1):
            process = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE)
            for _ in range(1 + commits):
                assert process.stdout.readline()
            time.sleep(0.05)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
        done = works.run(point, source)
        assert (done.state, done.stored) == ("done", 3 * 4096)
        assert len(works.said("collect")) == len(set(handles(works))) == 3 * 4096
        assert audit(works) == []


class TestRefusals:
    def test_a_circumstance_that_takes_no_imports(self, works):
        asked = {"name": "identity.name"}
        point = works.point(asked, "residential-entry", method="qr-form")
        with pytest.raises(RefusedError, match="takes no imports") as refused:
            works.run(point, works.file(table(ROWS)))
        assert refused.value.rule == "method/residential-entry/import"

    def test_a_point_whose_notice_names_another_way(self, works):
        with pytest.raises(RefusedError, match="another way of collecting"):
            works.run(works.point(method="qr-form"), works.file(table(ROWS)))

    def test_a_closed_point(self, works):
        point = works.point()
        with works.parts.database.write() as tx:
            running.points_.close_point(
                tx, works.parts.log, works.parts.standard, org=ORG, point=point, reason="moved",
                now=works.clock(),
            )  # fmt: skip
        with pytest.raises(ClosedError):
            works.run(point, works.file(table(ROWS)))
        assert works.said("import") == []

    def test_a_field_without_a_column(self, works):
        with pytest.raises(InputError, match="no column for temperature"):
            works.run(works.point(), works.file(table([r[:2] for r in ROWS], HEADERS[:2])))

    def test_a_level_whose_notice_is_still_to_be_issued(self, works):
        """What the new level forbids is not stored under the notice of the old one either."""
        point = works.point()
        fall(works)
        with pytest.raises(StaleNoticeError, match="the response level has changed"):
            works.run(point, works.file(table([person(1)])))
        assert works.said("collect") == []

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_a_level_that_is_set_while_a_batch_waits_for_its_turn(self, works):
        """On SQLite the write lock lets nobody in between; on PostgreSQL the log's head does, once it is held."""
        point = works.point()
        log = Head(works.parts.log.origin, lambda _: works.parts.log.signer)
        intake = dataclasses.replace(works.parts.intake, log=log)
        source = works.file(table([person(n % 4000) for n in range(4096 + 5)]))

        def wait(_):
            log.before = lambda: fall(works)

        with pytest.raises(StaleNoticeError, match="the response level has changed"):
            running.run(
                intake, source, org=ORG, point=point, by="s-tester", now=works.clock, told=wait
            )
        assert len(works.said("collect")) == 4096

    def test_a_notice_that_changes_meanwhile(self, works):
        """What the new level forbids is not stored; the same command goes on under the new notice."""
        point = works.point()
        rows = [person(n % 4000) for n in range(4096 + 5)]
        source = works.file(table(rows))

        def fall(found):
            if found.batches == 1:
                works.level("III")

        with pytest.raises(StaleNoticeError, match="run the import again"):
            works.run(point, source, told=fall)
        assert len(works.said("collect")) == 4096
        done = works.run(point, source)
        assert (done.state, done.stored) == ("done", 4096 + 5)
        assert [len(e.parts) for e in works.said("collect")] == [4] * 4096 + [3] * 5
        assert audit(works) == []

    def test_a_file_that_changes_meanwhile(self, works):
        rows = [person(n % 4000) for n in range(4096 + 5)]
        source = works.file(table(rows))

        def write(found):
            works.file(table([*rows, person(1)]))

        with pytest.raises(ConflictError, match="was changed"):
            works.run(works.point(), source, told=write)

    def test_a_file_that_breaks_half_way_keeps_what_was_committed(self, works):
        rows = [person(n % 4000) for n in range(4096)]
        content = table(rows) + b'"' + b"x" * 200_000
        with pytest.raises(FileFormatError, match="the row after 4097"):
            works.run(works.point(), works.file(content))
        assert len(works.said("collect")) == 4096


class TestConsent:
    """On consent a list must say of each person that they signed, and what."""

    HEADERS = ("姓名", "手机号", "工作单位", "职业", "签署日期", "同意")
    GOOD = ("测甲", "13800000001", "工厂", "焊工", "2026-03-14", "是")

    @pytest.fixture
    def point(self, works):
        return works.point(STAFF, "staffing", ordered=False)

    def by_hand(self, works, point):
        with works.parts.database.read() as tx:
            notice = running.issue.in_force(tx, ORG, point)[1].notice
        acts = [a.id for a in notice.authorisation().items if a.required]
        return {"签署日期": "signed-on", "同意": f"act:{acts[0]}"}

    def test_without_it_nothing_is_imported(self, works, point):
        with pytest.raises(ConsentError) as missing:
            works.run(point, works.file(table([self.GOOD], self.HEADERS)))
        assert "signed-on" in missing.value.missing
        assert works.said("import") == []

    def test_with_it_the_acts_are_recorded(self, works, point):
        source = works.file(table([self.GOOD], self.HEADERS))
        done = works.run(point, source, by_hand=self.by_hand(works, point))
        assert (done.stored, done.afterwards) == (1, False)
        with works.parts.database.read() as tx:
            bucket = running.buckets.listing(tx, ORG)[0]
            record = running.vault.find_record(tx, ORG, bucket.id, 0)
            assert running.issue.acts_of(tx, record) == (
                self.by_hand(works, point)["同意"].removeprefix("act:"),
            )
        assert audit(works) == []

    @pytest.mark.parametrize(
        ("place", "cell", "problem"),
        [
            (5, "否", "not-authorised"), (5, "", "not-authorised"), (4, "", "empty"),
            (4, "2026-03-13", "signed-before-notice"), (4, "2026-03-15", "future"),
            (4, "soon", "date"),
        ],
    )  # fmt: skip
    def test_a_row_that_does_not_say_so_is_refused(self, works, point, place, cell, problem):
        row = [*self.GOOD]
        row[place] = cell
        source = works.file(table([row], self.HEADERS))
        done = works.run(point, source, by_hand=self.by_hand(works, point))
        with works.parts.database.read() as tx:
            assert [code for _, _, code in register.troubles(tx, done)] == [problem]
        assert done.stored == 0

    def test_in_normal_times_nobody_is_told_afterwards(self, works):
        works.level("N")
        point = works.point(
            {
                "name": "identity.name", "id_card": "identity.resident-id", "sex": "identity.sex",
                "birth": "identity.birth-date", "mobile": "contact.mobile",
                "dose": "health.vaccination",
            },
            "vaccination",
        )  # fmt: skip
        headers = ("姓名", "身份证号", "性别", "出生日期", "手机号", "疫苗接种情况")
        row = ["测甲", "11010519491231002X", "男", "1949-12-31", "13800000001", "一针"]
        with pytest.raises(ConsentError):
            works.run(point, works.file(table([row], headers)))


class TestOptional:
    HEADERS = ("姓名", "手机号", "工作单位", "职业", "银行账号", "签署日期", "同意", "账号同意")

    def test_an_optional_field_needs_its_own_consent(self, works):
        point = works.point({**STAFF, "bank": "finance.bank-account"}, "staffing", ordered=False)
        consent = TestConsent().by_hand(works, point) | {"银行账号": "bank"}
        rows = [["测甲", "13800000001", "工厂", "焊工", "6217000000001", "2026-03-14", "是", "是"]]
        done = works.run(point, works.file(table(rows, self.HEADERS)), by_hand=consent)
        assert [(c.header, c.rule) for c in done.left_out if c.verdict == "refused"] == [
            ("银行账号", "consent/finance.bank-account")
        ]
        again = consent | {"账号同意": "act:optional:finance.bank-account"}
        source = works.file(table([*rows, [*rows[0][:7], "否"]], self.HEADERS), "other.csv")
        done = works.run(point, source, by_hand=again)
        assert (done.stored, done.refused) == (1, 1)
        assert any(b"6217000000001" in plain for plain in works.opened().values())


class TestMemory:
    def test_a_batch_holds_no_more_than_its_lease(self, works):
        """Rows are made as they are read: no more of them are alive than one batch takes."""
        point = works.point()
        alive = [0, 0]  # handed out, most at a time

        def rows():
            for n in range(3 * 4096):
                alive[0] += 1
                yield n + 2, person(n % 4000)[:4]

        source = works.file(table([person(n % 4000) for n in range(3 * 4096)]))
        counted = []
        works.run(point, source, told=lambda found: counted.append(found.last_row))
        assert counted[:2] == [4097, 8193]
        line = in_turn(works, point, source, rows())
        for lease_rows in (4096, 8192):
            line.take()
            assert alive[0] == lease_rows

    def test_a_file_of_bad_rows_commits_on_the_way(self, works):
        """However many rows are refused, progress is kept every 20,000 of them."""
        rows = [["测甲", "12", "36.6", "阴性", ""]] * (prepare.MOST_ROWS + 5)
        seen = []
        done = works.run(
            works.point(), works.file(table(rows)), told=lambda f: seen.append(f.refused)
        )
        assert seen == [prepare.MOST_ROWS, prepare.MOST_ROWS + 5]
        assert done.stored == 0


def in_turn(works, point, source, rows):
    """A line over made-up rows, with two leases."""
    target = running.target_of(works.parts.intake, ORG, point)
    mapping = running.map_columns(
        works.parts.standard, target.form, running.open_table(source), None
    )
    desk = running._Desk(works.parts.intake, target)
    with works.parts.database.write() as tx:
        leases = [desk.take(tx, works.clock()) for _ in range(2)]
        found = register.listing(tx, ORG)[0]
    line = InTurn(
        running._job(works.parts.intake, target, mapping, source, found), works.parts.standard
    )
    line._preparer._rows = rows
    for lease in leases:
        line.give(lease)
    return line


def everything(works):
    """Every byte and text of every row of the database, joined."""
    found = []
    with works.parts.database.read() as tx:
        for each in metadata.sorted_tables:
            for row in tx.conn.execute(sa.select(each)):
                found += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    return b"\0".join(found)


def handles(works):
    with works.parts.database.read() as tx:
        return [
            bytes(h) for h in tx.conn.execute(sa.select(running.vault.records.c.handle)).scalars()
        ]


def audit(works):
    """What a monitor finds in the published log."""
    auditor = Auditor(StandardRules([works.parts.standard]))
    with works.parts.database.read() as tx:
        log = works.parts.log
        for index, each in enumerate(log.entries(tx, 0, log.size(tx))):
            auditor.read(index, entry.decode(each))
    return auditor.conclude(works.clock()).all()


def break_table(tx, name):
    tx.conn.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {name}_away")


def mend_table(tx, name):
    tx.conn.exec_driver_sql(f"ALTER TABLE {name}_away RENAME TO {name}")
