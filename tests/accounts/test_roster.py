"""Accounts from a file: whole or nothing, as it was shown, and never so that nobody is left."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.accounts import administer, roster, session, sign_in, staff, tenure
from epilock.errors import EpilockError, FileFormatError, StateError, TooLargeError
from epilock.ledger import entry

HEAD = "userName,active,roles,externalId\n"
OWN = ("sunny", "s-nobody")


def plan(parts, *lines: str, others: bool = False, own=OWN) -> roster.Planned:
    with parts.database.read() as tx:
        return roster.plan(tx, "sunny", (HEAD + "\n".join(lines)).encode(), others=others, own=own)


def bring_in(parts, *lines: str, others: bool = False, fingerprint: str | None = None, own=OWN):
    shown = plan(parts, *lines, others=others, own=own)
    with parts.database.write() as tx:
        body = (HEAD + "\n".join(lines)).encode()
        return roster.carry_out(
            tx, parts.log, standard_ref=parts.standard.ref, org="sunny", now=parts.now(),
            planned=roster.plan(tx, "sunny", body, others=others, own=own),
            fingerprint=fingerprint or shown.fingerprint, once=roster.hashed(len(shown.of("new"))),
        )  # fmt: skip


def accounts(parts) -> dict[str, list[str]]:
    with parts.database.read() as tx:
        return {s.login: sorted(s.roles) for s in staff.listing(tx, "sunny")}


def said(parts) -> int:
    with parts.database.read() as tx:
        told = [entry.decode(e) for e in parts.log.entries(tx, 0, parts.log.size(tx))]
    return sum(isinstance(e, entry.Role) for e in told)


BOTH = ("chief,true,administrator,1", "wang,TRUE,custodian approver,2")


class TestDoing:
    def test_new_changed_disabled_each_with_its_entry(self, parts):
        made = bring_in(parts, *BOTH)
        assert [login for login, _ in made] == ["chief", "wang"]
        shown = plan(parts, BOTH[0], "wang,false,,2", "li,true,analyst,3")
        assert [(c.kind, c.login) for c in shown.changes] == [("new", "li"), ("disabled", "wang")]
        bring_in(parts, BOTH[0], "wang,false,,2", "li,true,analyst,3")
        assert accounts(parts) == {"chief": ["administrator"], "li": ["analyst"]}
        assert said(parts) == 4

    def test_a_one_time_password_lets_in(self, parts, clock):
        made = dict(bring_in(parts, *BOTH))
        with parts.database.write() as tx:
            who = sign_in.by_password(
                tx, secret=bytes(32), org="sunny", login="wang", password=made["wang"], now=clock()
            )
        assert who.must_change

    def test_again_it_does_nothing(self, parts):
        bring_in(parts, *BOTH)
        before = said(parts)
        assert plan(parts, *BOTH).changes == ()
        assert bring_in(parts, *BOTH) == []
        assert said(parts) == before

    def test_what_was_not_shown_is_not_done(self, parts):
        shown = plan(parts, *BOTH)
        with pytest.raises(StateError, match="changed since it was shown"):
            bring_in(parts, BOTH[0], fingerprint=shown.fingerprint)
        assert accounts(parts) == {}

    def test_who_is_disabled_is_signed_out(self, parts):
        bring_in(parts, *BOTH)
        with parts.database.write() as tx:
            who = staff.by_login(tx, "sunny", "wang")
            session.begin(tx, who, now=parts.now())
        bring_in(parts, BOTH[0], "wang,false,,2")
        with parts.database.read() as tx:
            assert session.listing(tx, who, now=parts.now()) == []

    def test_others_stay_unless_that_is_asked_for(self, parts):
        bring_in(parts, *BOTH)
        assert plan(parts, BOTH[0]).left == ("wang",)
        bring_in(parts, BOTH[0], others=True)
        assert accounts(parts) == {"chief": ["administrator"]}

    def test_a_persons_number_elsewhere_is_kept(self, parts):
        bring_in(parts, *BOTH)
        with parts.database.read() as tx:
            assert {r["external_id"] for r in tx.all(tenure.tenures)} == {"1", "2"}


class TestRefused:
    @pytest.mark.parametrize(
        ("line", "column"),
        [
            ("-x,true,custodian,", "userName"),
            ("li,yes,custodian,", "active"),
            ("li,true,,", "roles"),
            ("li,true,custodian administrator,", "roles"),
            ("li,true,king,", "roles"),
            ("li,true,custodian," + "9" * 65, "externalId"),
            ("li,true,custodian,,", ""),
        ],
    )
    def test_a_mistake_is_named_by_line_and_column(self, parts, line, column):
        shown = plan(parts, "chief,true,administrator,", line)
        assert [(p.line, p.column) for p in shown.problems] == [(3, column)]
        with pytest.raises(FileFormatError, match="nothing was done"):
            bring_in(parts, "chief,true,administrator,", line)
        assert accounts(parts) == {}

    def test_twice_is_named_twice(self, parts):
        shown = plan(parts, "li,true,custodian,7", "li,true,custodian,7")
        assert {p.column for p in shown.problems} == {"userName", "externalId"}

    def test_a_login_that_changed_hands_is_noticed(self, parts):
        bring_in(parts, *BOTH)
        for line in ("wang,true,custodian approver,9", "li,true,analyst,2"):
            assert [p.column for p in plan(parts, line).problems] == ["externalId"]

    def test_administrators_take_turns_in_one_file(self, parts):
        bring_in(parts, "aa,true,administrator,")
        bring_in(parts, "aa,false,,", "zz,true,administrator,")
        assert accounts(parts) == {"zz": ["administrator"]}

    def test_the_last_administrator_stays(self, parts):
        bring_in(parts, *BOTH)
        for line in ("chief,false,,1", "chief,true,custodian,1"):
            assert administer.BEREFT in [p.what for p in plan(parts, line).problems]
        assert plan(parts, BOTH[1], others=True).problems

    def test_nobody_changes_their_own(self, parts):
        bring_in(parts, *BOTH, "second,true,administrator,3")
        with parts.database.read() as tx:
            own = ("sunny", staff.by_login(tx, "sunny", "chief").staff)
        assert [p.line for p in plan(parts, "chief,false,,1", own=own).problems] == [2]
        shown = plan(parts, BOTH[1], others=True, own=own)
        assert [c.login for c in shown.changes] == ["second"]
        assert shown.left == ("chief",)

    def test_it_has_limits(self):
        with pytest.raises(TooLargeError):
            roster.read(bytes(roster.MAX_BYTES + 1))
        lines = "".join(f"a{n},true,custodian,\n" for n in range(roster.MAX_LINES))
        assert len(roster.read((HEAD + lines).encode())[0]) == roster.MAX_LINES
        with pytest.raises(TooLargeError, match="5000 lines"):
            roster.read((HEAD + lines + "x,true,custodian,\n").encode())

    @pytest.mark.parametrize(
        "head",
        ["", "userName,roles", "userName,active,roles,password", "userName,userName,active,roles"],
    )
    def test_other_columns_are_refused(self, head):
        with pytest.raises(FileFormatError, match="line 1: the columns are"):
            roster.read(head.encode())


class TestAnyFile:
    @given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: (HEAD + t).encode()))
    def test_is_read_or_refused(self, body):
        try:
            lines, problems = roster.read(body)
        except EpilockError:
            return
        for line in lines:
            staff.check_login(line.login)
            if line.roles:
                staff.check_roles(line.roles)
        assert all(p.line > 1 for p in problems)

    @given(
        st.lists(
            st.tuples(
                st.from_regex(r"[a-z][a-z0-9.-]{0,9}", fullmatch=True), st.booleans(),
                st.sampled_from(["custodian", "analyst approver", "administrator"]),
            ), unique_by=lambda row: row[0], max_size=20,
        )
    )  # fmt: skip
    def test_what_is_written_is_read(self, rows):
        out = io.StringIO(newline="")
        csv.writer(out).writerows(
            [("roles", "userName", "active"), *((r, n, str(a).lower()) for n, a, r in rows)]
        )
        lines, problems = roster.read(out.getvalue().encode())
        assert not problems
        assert [(x.login, bool(x.roles)) for x in lines] == [(n, a) for n, a, _ in rows]
