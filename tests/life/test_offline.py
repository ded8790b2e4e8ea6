"""Without a network: what a device sealed comes in once, on its day, or not at all; and nobody else opens it."""

import json
from base64 import b64encode
from uuid import UUID, uuid4

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import passwords
from epilock.accounts import credentials, staff
from epilock.cli import outbox as commands
from epilock.collect import code, offline, outbox, point
from epilock.collect.record import Stored
from epilock.errors import (
    BoxError,
    ClosedError,
    ConflictError,
    EpilockError,
    ErasedError,
    FileFormatError,
    ForbiddenError,
    InputError,
    LimitError,
    StateError,
    TooLargeError,
)
from epilock.ledger import entry, shards
from epilock.ledger.audit import Auditor, StandardRules
from epilock.registry import organisation
from epilock.store import bucket as buckets

SUITE = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Device:
    """What a collector's browser does, with another implementation of HPKE than the page's."""

    def __init__(self, town, most=offline.USUAL):
        self.town, parts = town, town.parts
        with parts.database.write() as tx:
            self.lease = offline.take(
                tx, parts.log, parts.keys, parts.standard, org="garden", point=town.point,
                holder="s1", most=most, now=town.clock,
            )  # fmt: skip

    def box(self, submission=None, **change):
        said = msgspec.json.encode(submission or self.town.submission(**change))
        return self.seal(said + b" " * (-len(said) % 1024))

    def seal(self, plain):
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.lease.public)
        return SUITE.encrypt(plain, public, offline.INFO + self.lease.lease.encode())

    def open(self, box):
        parts = self.town.parts
        with parts.database.read() as tx:
            lease = offline.load(tx, "garden", self.lease.lease)
            return offline.open_box(
                tx, parts.keys, parts.standard, lease, box, now=self.town.clock()
            )

    def send(self, box):
        answer = self.town.store(self.open(box))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def device(town):
    return Device(town)


class TestSending:
    def test_what_comes_the_next_day_lies_in_the_bucket_of_its_day(self, town, device):
        client = str(uuid4())
        box = device.box(client=client)
        town.clock.forward(hours=20)
        stored = device.send(box)
        assert stored.bucket == "garden/flu/residential-entry/2026-03-14"
        assert code.parse(stored.code).receipt_id == UUID(client).bytes  # as the person holds it
        assert device.send(box).repeated  # a cut connection, a second device: stored once

    def test_one_receipt_never_stands_for_two_contents(self, device):
        client = str(uuid4())
        device.send(device.box(client=client))
        fields = {**device.town.submission().fields, "temperature": "37.5"}
        with pytest.raises(ConflictError):
            device.send(device.box(client=client, fields=fields))

    def test_a_notice_that_changed_meanwhile_does_not_undo_what_its_person_read(self, town, device):
        box = device.box()
        town.clock.forward(minutes=5)
        town.level("I")
        assert isinstance(device.send(box), Stored)

    def test_a_stranger_finds_nothing_wrong_in_the_log(self, town, device):
        box = device.box()
        town.clock.forward(hours=30)
        device.send(box)
        with town.parts.database.read() as tx:
            told = shards.entries_at(tx, town.parts.log, 0, 1000)
        stranger = Auditor(StandardRules([town.parts.standard]))
        for index, data in enumerate(told):
            stranger.read(index, entry.decode(data))
        assert stranger.conclude(town.clock()).by_key == {}


class TestRefusal:
    def test_after_its_end_the_key_is_gone_for_good(self, town, device):
        box = device.box()
        town.clock.forward(
            hours=40
        )  # 01:00 UTC and 40 hours: past the end of the next day in China
        with pytest.raises(ClosedError, match="has ended"):
            device.open(box)
        parts = town.parts
        assert offline.forget_ended(parts.database, parts.keys, now=town.clock()) == 1
        assert offline.forget_ended(parts.database, parts.keys, now=town.clock()) == 0
        for part in device.lease.parts:
            with pytest.raises(ErasedError):
                parts.keys.leaf(
                    "garden", "garden/flu/residential-entry/2026-03-14", part, device.lease.number
                )

    def test_a_lease_that_ends_between_opening_and_storing_stores_nothing(self, town, device):
        accepted = device.open(device.box())
        with town.parts.database.write() as tx:
            offline.end(tx, device.lease, now=town.clock())
        assert isinstance(town.store(accepted)[0], ClosedError)

    def test_a_closed_point_takes_nothing_more(self, town, device):
        accepted = device.open(device.box())
        with town.parts.database.write() as tx:
            point.close_point(
                tx, town.parts.log, town.parts.standard, org="garden", point=town.point,
                reason="moved", now=town.clock(),
            )  # fmt: skip
        assert isinstance(town.store(accepted)[0], ClosedError)

    def test_the_box_of_another_lease_or_a_changed_one_does_not_open(self, town, device):
        box, other = device.box(), Device(town)
        for bad in (other.box(), box[:-1], box[:40], b"", bytes([*box[:-1], box[-1] ^ 1])):
            with pytest.raises(FileFormatError):
                device.open(bad)
        with pytest.raises(TooLargeError):
            device.open(bytes(offline.MAX_BOX + 1))

    def test_what_is_inside_is_held_to_the_form(self, device):
        with pytest.raises(BoxError):
            device.open(device.box(fields={"name": "张三"}))
        with pytest.raises(InputError, match="version 4"):
            device.open(device.box(client="c9a646d3-9c61-11b2-bf3a-000000000000"))

    def test_it_says_which_form_and_which_field_and_no_value(self, device):
        """The end of the code finds its person; it is too little to look anything up with."""
        client = str(uuid4())
        fields = {**device.town.submission().fields, "mobile": "12"}
        with pytest.raises(BoxError) as caught:
            device.open(device.box(client=client, fields=fields))
        error, town = caught.value, device.town
        with town.parts.database.read() as tx:
            serial = organisation.load(tx, "garden").serial
        assert code.encode(serial, UUID(client).bytes).endswith(f"-{error.mark}")
        assert [p.field for p in error.problems] == ["mobile"]
        assert error.problems[0].zh.startswith("手机号")
        for secret in ("张三", fields["name"], "'12'", client):
            assert secret not in str(error)

    def test_what_its_person_was_asked_again_replaces_it(self, town, device):
        client = str(uuid4())
        bad = device.box(client=client, fields={"name": "张三"})
        with pytest.raises(BoxError):
            device.open(bad)
        stored = device.send(device.box(client=client))
        assert device.open(bad) == offline.Replaced(stored.index)
        assert device.send(device.box(client=client)).repeated

    def test_an_act_that_was_not_ticked_is_named_as_on_the_page(self, device):
        with pytest.raises(BoxError, match="not ticked") as caught:
            device.open(device.box(given=[]))
        assert all(p.zh.startswith("没有勾选：") for p in caught.value.problems)

    @settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(plain=st.binary(max_size=300))
    def test_whatever_is_inside_the_answer_is_an_error_of_ours(self, device, plain):
        with pytest.raises(EpilockError):
            device.open(device.seal(plain))


class TestTerminal:
    """``epilock outbox import`` takes the way of the console, and who signs in decides."""

    PASSWORD = "a sentence that is long enough"

    @pytest.fixture
    def run(self, town, environ, home, tmp_path):
        with town.parts.database.write() as tx:
            for login, role in (("bao", "collector"), ("lin", "analyst")):
                who, once = staff.add_staff(
                    tx, town.parts.log, standard_ref=town.parts.standard.ref, org="garden",
                    login=login, roles=(role,), now=town.clock(), once=passwords.once(),
                )  # fmt: skip
                credentials.change_password(
                    tx, org="garden", code=who.staff, old=once, new=self.PASSWORD
                )

        def run(device, *boxes, who="bao"):
            file = tmp_path / "epilock-outbox.json"
            told = [{"lease": device.lease.lease, "box": b64encode(b).decode()} for b in boxes]
            file.write_text(json.dumps({"format": outbox.FORMAT, "boxes": told}))
            words = [
                "import", str(file), "--as", f"{who}@garden", "--home", str(home),
                "--now", town.clock().isoformat(),
            ]  # fmt: skip
            return CliRunner().invoke(
                commands.app, words, input=f"{self.PASSWORD}\n\n", env=environ
            )

        return run

    def test_a_file_comes_in_once_and_each_form_is_answered_for(self, device, run):
        client = str(uuid4())
        boxes = device.box(client=client), device.box(fields={"name": "张三"})
        first, second = run(device, *boxes), run(device, *boxes)
        assert (first.exit_code, second.exit_code) == (1, 1)
        assert first.output.startswith("1: stored, entry ")
        assert second.output.startswith("1: repeated, entry ")
        assert "2: not taken: the form whose receipt ends in " in first.output
        assert "mobile: Mobile" in first.output
        assert "张三" not in first.output

    def test_who_may_not_collect_brings_nothing_in(self, device, run):
        result = run(device, device.box(), who="lin")
        assert isinstance(result.exception, ForbiddenError)


class TestLimit:
    def test_no_more_come_in_than_it_was_taken_for(self, town):
        device = Device(town, most=2)
        boxes = [device.box(client=str(uuid4())) for _ in range(3)]
        answers = town.store(*(device.open(box) for box in boxes))
        assert [type(answer) for answer in answers] == [Stored, Stored, LimitError]
        assert device.send(boxes[0]).repeated  # what is there is not asked for again
        with pytest.raises(LimitError, match="taken for 2 forms"):
            device.send(boxes[2])
        with town.parts.database.write() as tx:
            offline.allow_more(tx, device.lease, most=3, now=town.clock())
        assert not device.send(boxes[2]).repeated
        with town.parts.database.read() as tx:
            counts = offline.counts(tx, "garden", [device.lease.lease])
        assert counts == {device.lease.lease: offline.Count(3, 3)}

    @pytest.mark.parametrize("most", [0, -1, offline.MOST + 1])
    def test_a_number_beyond_reason_is_refused(self, town, most):
        with pytest.raises(InputError, match="1 to 500"):
            Device(town, most=most)

    def test_more_is_allowed_only_upwards_and_while_it_lasts(self, town):
        device = Device(town, most=2)
        with town.parts.database.write() as tx, pytest.raises(StateError, match="2 forms already"):
            offline.allow_more(tx, device.lease, most=2, now=town.clock())
        town.clock.forward(hours=40)
        with town.parts.database.write() as tx, pytest.raises(ClosedError):
            offline.allow_more(tx, device.lease, most=3, now=town.clock())


class TestDestruction:
    def test_it_is_incomplete_until_the_lease_is_given_back(self, town, device):
        with town.parts.database.read() as tx:
            bucket = buckets.load(tx, "garden", device.lease.bucket)
            assert buckets.open_leases(tx, bucket, now=town.clock()) == [device.lease.lease]
        with town.parts.database.write() as tx:
            offline.end(tx, device.lease, now=town.clock())
            assert buckets.open_leases(tx, bucket, now=town.clock()) == []

    def test_what_was_sealed_dies_with_the_bucket(self, town, device):
        """The key hangs on a leaf of each part: it is gone with the first of them."""
        box = device.box()
        town.parts.keys.destroy(
            "garden", drops=[("garden/flu/residential-entry/2026-03-14", device.lease.parts[0])]
        )
        with pytest.raises(ErasedError):
            device.open(box)
