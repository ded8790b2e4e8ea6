"""What a proof of destruction promises: each receipt has its own, and a stranger checks it with nothing else."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from estate import DAY, DELIVERY, ORG, OTHER, midnight_after, noon

from epilock.destroy import certificate, erasure
from epilock.destroy.certificate import Gone
from epilock.destroy.move import Mover
from epilock.errors import EntryError, FileFormatError, NoteError, ProofError
from epilock.ledger import entry
from epilock.ledger.note import Signer

NOW = noon(DAY)
DUE = midnight_after(DAY + timedelta(days=28))
LATER = midnight_after(DAY + timedelta(days=180))
V = json.loads((Path(__file__).parents[1] / "vectors/destroy/certificate.json").read_text())


def prove(estate, bucket, n):
    with estate.database.read() as tx:
        return certificate.prove(tx, estate.log, bucket.org, bucket.id, n)


def gone(estate, receipt, proofs):
    """What a stranger concludes, who has the log's key from elsewhere."""
    key = estate.log.signer.verifier
    return certificate.check_all(receipt, [p.text for p in proofs], [key])


def withdraw(estate, bucket, n, **how):
    with estate.database.write() as tx:
        erasure.erase(
            tx, estate.log, estate.standard, org=ORG, bucket=bucket.id, n=n, reason="withdrawal",
            now=NOW, **how,
        )  # fmt: skip
    estate.complete(NOW)


class TestProve:
    def test_one_certificate_proves_it_to_each_receipt(self, estate):
        bucket = estate.bucket(3)
        receipts = [estate.receipt(bucket, n) for n in range(3)]
        estate.run(DUE)
        for n, receipt in enumerate(receipts):
            (proof,) = prove(estate, bucket, n)
            assert (proof.kind, proof.bucket, proof.n) == ("destroy", bucket.name, n)
            found = gone(estate, receipt, [proof])
            assert {g.part for g in found} == set(bucket.parts)
            assert {g.kind for g in found} == {"certificate"}
            assert found[0] == Gone(
                part=found[0].part, place=(bucket.name, n), index=proof.index, kind="certificate",
                at="2026-04-11T16:00:00Z", origin=estate.log.origin,
            )  # fmt: skip

    def test_what_lives_has_no_proof(self, estate):
        bucket = estate.bucket(1)
        assert prove(estate, bucket, 0) == ()
        with pytest.raises(ProofError, match="nothing shows that part"):
            gone(estate, estate.receipt(bucket, 0), ())

    def test_a_withdrawal_and_then_the_bucket(self, estate):
        bucket = estate.bucket(2)
        receipt = estate.receipt(bucket, 1)
        part, *rest = bucket.parts
        withdraw(estate, bucket, 1, parts=[part])
        estate.run(DUE)
        proofs = prove(estate, bucket, 1)
        assert [(p.kind, p.parts) for p in proofs] == [("erase", (part,)), ("destroy", tuple(rest))]
        kinds = {g.part: g.kind for g in gone(estate, receipt, proofs)}
        assert kinds == {part: "erased"} | dict.fromkeys(rest, "certificate")
        with pytest.raises(ProofError, match=rest[0]):
            gone(estate, receipt, proofs[:1])

    def test_step_by_step(self, estate):
        bucket = estate.bucket(1)
        receipt = estate.receipt(bucket, 0)
        estate.level("III", NOW)
        down = midnight_after(DAY + timedelta(days=7))
        estate.run(down)
        first = prove(estate, bucket, 0)
        assert {part for p in first for part in p.parts} == {"3-I", "3-II", "1-I"}
        with pytest.raises(ProofError):
            gone(estate, receipt, first)
        estate.run(DUE)
        assert len(gone(estate, receipt, prove(estate, bucket, 0))) == len(bucket.parts)

    def test_an_event_on_the_way(self, estate):
        """The old keys were erased, the new ones went with the bucket of the event's day."""
        bucket = estate.bucket(2, circumstance=DELIVERY)
        receipt = estate.receipt(bucket, 1)
        with estate.database.write() as tx:
            Mover(estate.log, estate.keys, estate.standard).start_clock(
                tx, bucket=bucket, n=1, event="delivery", day=DAY, now=NOW
            )
        estate.complete(NOW)
        estate.run(LATER)
        proofs = prove(estate, bucket, 1)
        assert [p.kind for p in proofs] == ["move", "replaced", "destroy"]
        found = gone(estate, receipt, proofs)
        assert {(g.place[0], g.kind) for g in found} == {
            (bucket.name, "erased"),
            (f"{bucket.name}+delivery", "certificate"),
        }
        for left_out in proofs:
            rest = [p for p in proofs if p != left_out]
            if left_out.kind != "move":
                with pytest.raises(ProofError):
                    gone(estate, receipt, rest)

    def test_a_correction_on_the_way(self, estate):
        bucket = estate.bucket(2)
        receipt = estate.receipt(bucket, 1)
        with estate.database.write() as tx:
            Mover(estate.log, estate.keys, estate.standard).correct(
                tx, bucket=bucket, n=1, parts=estate.plain(bucket, 7), given=1, minor=0, now=NOW
            )
        n = 4096
        estate.run(LATER)
        proofs = prove(estate, bucket, 1)
        said = {p.kind for p in proofs}
        assert said == {"move", "anew", "replaced", "destroy"}
        places = {g.place for g in gone(estate, receipt, proofs)}
        assert places == {(bucket.name, 1), (bucket.name, n)}
        collected = next(p for p in proofs if p.index == min(p.index for p in proofs))
        with pytest.raises(ProofError, match="`collect` entry"):
            gone(estate, receipt, [p for p in proofs if p != collected])


class TestCheckAll:
    @pytest.fixture
    def story(self, estate):
        """A receipt and its proofs; another receipt of the same bucket; one of another bucket."""
        bucket = estate.bucket(2)
        other = estate.bucket(1, day=DAY + timedelta(days=1))
        receipts = [estate.receipt(bucket, 0), estate.receipt(bucket, 1), estate.receipt(other, 0)]
        withdraw(estate, bucket, 1)
        estate.run(DUE)
        return receipts, prove(estate, bucket, 0), prove(estate, bucket, 1), other

    def test_in_any_order_and_with_others_among_them(self, estate, story):
        receipts, proofs, others, _ = story
        assert gone(estate, receipts[0], [*others, *reversed(proofs)])

    def test_another_records_erasure_is_no_proof(self, estate, story):
        receipts, _, others, _ = story
        erased = [p for p in others if p.kind == "erase"]
        with pytest.raises(ProofError):
            gone(estate, receipts[0], erased)

    def test_another_buckets_certificate_is_no_proof(self, estate, story):
        receipts, proofs, _, _ = story
        with pytest.raises(ProofError):
            gone(estate, receipts[2], proofs)

    def test_an_incomplete_certificate_is_no_proof(self, estate):
        bucket = estate.bucket(1, lease_until=DUE + timedelta(days=1))
        receipt = estate.receipt(bucket, 0)
        estate.run(DUE)
        index = next(i for i, e in enumerate(estate.said()) if isinstance(e, entry.Certificate))
        with estate.database.read() as tx:
            text = estate.log.proof(tx, index)
        assert prove(estate, bucket, 0) == ()
        with pytest.raises(ProofError, match="nothing shows"):
            certificate.check_all(receipt, [text], [estate.log.signer.verifier])
        estate.run(DUE + timedelta(days=1))
        assert gone(estate, receipt, prove(estate, bucket, 0))

    def test_a_log_nobody_knows_proves_nothing(self, story):
        receipts, proofs, _, _ = story
        with pytest.raises(NoteError):
            certificate.check_all(
                receipts[0], [p.text for p in proofs],
                [Signer.from_seed("log.example/other", bytes(32)).verifier],
            )  # fmt: skip

    def test_an_altered_entry_proves_nothing(self, estate, story):
        receipts, (proof,), _, _ = story
        extra = next(line for line in proof.text.splitlines() if line.startswith("extra "))
        wrong = replace(proof, text=proof.text.replace(extra, extra[:-8] + "AAAAfQ=="))
        with pytest.raises((ProofError, FileFormatError)):
            gone(estate, receipts[0], [wrong])

    def test_what_is_no_receipt(self, estate, story):
        _, (proof,), _, _ = story
        with pytest.raises(EntryError, match="collect"):
            gone(estate, proof.text, [proof])

    def test_a_certificate_says_nothing_of_what_came_later(self, estate):
        """Rule 3: a log that collects into a dead bucket can't wave its old certificate."""
        bucket = estate.bucket(1)
        estate.run(DUE)
        (proof,) = prove(estate, bucket, 0)
        said = entry.Collect(
            org=ORG, standard=estate.ref, point=f"{ORG}.reside", bucket=bucket.name, n=0,
            notice="ab" * 32, parts=bucket.parts, commitment="0" * 64,
        )  # fmt: skip
        with estate.database.write() as tx:
            index = estate.log.append(tx, [entry.encode(said)], now=DUE).first
        with estate.database.read() as tx:
            receipt = estate.log.proof(tx, index)
        with pytest.raises(ProofError, match="nothing shows"):
            gone(estate, receipt, [proof])

    def test_another_organisations_word_does_not_count(self, estate):
        bucket = estate.bucket(1)
        said = entry.Erased(
            org=OTHER, standard=estate.ref, at=entry.stamp(NOW), erasure="e-x", bucket=bucket.name,
            n=0, parts=bucket.parts,
        )  # fmt: skip
        with estate.database.write() as tx:
            index = estate.log.append(tx, [entry.encode(said)], now=NOW).first
        with estate.database.read() as tx:
            text = estate.log.proof(tx, index)
        with pytest.raises(ProofError):
            certificate.check_all(estate.receipt(bucket, 0), [text], [estate.log.signer.verifier])


class TestCheck:
    """One entry, read by itself; golden bytes, for certificates are kept for years."""

    CERTIFICATE = V["certificate"].encode()
    ERASED = V["erased"].encode()
    BUCKET = V["bucket"]

    def test_a_certificate_covers_its_range(self):
        for n in (4, 9):
            assert certificate.check(self.CERTIFICATE, self.BUCKET, n) == ("2-IV", "3-II")
        for n in (3, 10):
            with pytest.raises(ProofError, match="does not cover"):
                certificate.check(self.CERTIFICATE, self.BUCKET, n)

    def test_of_its_bucket_alone(self):
        with pytest.raises(ProofError, match="does not cover"):
            certificate.check(self.CERTIFICATE, self.BUCKET + "+release", 4)

    def test_an_erasure_is_of_one_record(self):
        assert certificate.check(self.ERASED, self.BUCKET, 7) == ("2-IV",)
        for place in ((self.BUCKET, 8), (self.BUCKET + "+release", 7)):
            with pytest.raises(ProofError, match="another record"):
                certificate.check(self.ERASED, *place)

    def test_an_incomplete_one_certifies_nothing(self):
        data = self.CERTIFICATE.replace(b'"complete":true', b'"complete":false')
        with pytest.raises(ProofError, match="not complete"):
            certificate.check(data, self.BUCKET, 4)

    @pytest.mark.parametrize("data", [b"", b"{}", CERTIFICATE + b" ", CERTIFICATE[:-1]])
    def test_what_is_no_entry(self, data):
        with pytest.raises(EntryError):
            certificate.check(data, self.BUCKET, 4)

    def test_an_announcement_certifies_nothing(self):
        with pytest.raises(ProofError, match="certifies no destruction"):
            certificate.check(V["destroy"].encode(), self.BUCKET, 4)
