"""The public page of anchors: which chain holds what, and two files that are checked together."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sheet import read

from epilock.ledger.anchor import book
from epilock.ledger.anchor.place import Progress, Proven, Stage
from epilock.ledger.note import Verifier
from epilock.ledger.verify import verify

FILE = (Path(__file__).parents[1] / "vectors/ledger/anchor/ct8.anchor").read_bytes()
AT = datetime(2026, 3, 14, 2, 30, tzinfo=UTC)
ROOT = "4b" * 32
CONTRACT = "0x5fbdb2315678afecb367f032d93f642f64180aa3"


def anchor(parts, *, chain=1, stage=Stage.DONE, proof=True):
    """The head of the town's log, as an anchor at its stage; return the size."""
    place = f"evm/{chain}/{CONTRACT}"
    with parts.database.write() as tx:
        head = parts.log.head(tx)
        book.begin(tx, 1, place, head.size, head.root, now=parts.now())
        book.note(tx, 1, place, head.size, Progress(stage=stage), now=parts.now())
        if proof:
            book.keep(
                tx, 1, place, head.size, Proven(file=FILE, at=AT, block=77, block_hash=b"\x5a" * 32)
            )
    return head.size


class TestPage:
    def test_without_a_chain(self, visitor):
        assert (
            "kept on no chain and under no time stamp, or not yet"
            in read(visitor, "/log/anchored").text
        )
        assert "/log/anchored/1.anchor" not in visitor.get("/log/entry/1").text

    def test_what_is_under_way_is_not_shown(self, visitor, parts):
        anchor(parts, stage=Stage.HELD, proof=False)
        assert (
            "kept on no chain and under no time stamp, or not yet"
            in read(visitor, "/log/anchored").text
        )

    def test_an_anchor_names_chain_contract_and_block(self, visitor, parts):
        size = anchor(parts)
        page = visitor.get("/log/anchored").text
        assert "0x5FbDB2315678afecb367f032d93F642f64180aa3" in page
        assert "77" in page
        assert "0x" + "5a" * 32 in page
        assert f"/log/anchored/{size - 1}.anchor" in page
        assert "the code works, not the time" not in page

    @pytest.mark.parametrize(
        ("language", "said"),
        [("en", "proves that the code works, not the time"), ("zh", "不能证明时间")],
    )
    def test_a_chain_of_ones_own_proves_no_time(self, visitor, parts, language, said):
        anchor(parts, chain=31337)
        assert said in visitor.get(f"/log/anchored?lang={language}").text

    def test_without_a_proof_there_is_nothing_to_download(self, visitor, parts):
        anchor(parts, proof=False)
        assert ".anchor" not in visitor.get("/log/anchored").text.replace("entry-….anchor", "")


class TestStamps:
    """The same page and files for time stamps, beside those of a chain."""

    def stamp(self, parts, *, proof=True):
        place = f"tsa/{ROOT}"
        with parts.database.write() as tx:
            head = parts.log.head(tx)
            book.begin(tx, 1, place, head.size, head.root, now=parts.now())
            done = Progress(stage=Stage.DONE)
            book.note(tx, 1, place, head.size, done, now=parts.now())
            if proof:
                book.keep(tx, 1, place, head.size, Proven(file=b"{}", at=AT))
        return head.size

    def test_the_page_says_what_a_stamp_proves(self, visitor, parts):
        size = self.stamp(parts)
        page = visitor.get("/log/anchored").text
        assert ROOT in page
        assert "2026-03-14 02:30:00 UTC" in page
        assert f"/log/stamped/{size - 1}.anchor" in page
        assert "whether the log shows different people different things" in page
        assert "Contract" not in page

    def test_beside_a_chain(self, visitor, parts):
        self.stamp(parts)
        anchor(parts)
        page = visitor.get("/log/anchored").text
        assert "0x5FbDB2315678afecb367f032d93F642f64180aa3" in page
        assert ROOT in page
        assert visitor.get("/log/anchored/1.anchor").content == FILE
        assert visitor.get("/log/stamped/1.anchor").content == b"{}"

    def test_its_files(self, visitor, parts):
        size = self.stamp(parts)
        key = Verifier.from_vkey(visitor.get("/log/vkey").text.strip())
        found = visitor.get("/log/stamped/1.tlog-proof")
        assert verify(found.content, [key]).checkpoint.size == size
        assert "entry-1-stamp" in found.headers["content-disposition"]
        assert "/log/stamped/1.anchor" in visitor.get("/log/entry/1").text
        assert "/log/anchored/1.anchor" not in visitor.get("/log/entry/1").text
        assert visitor.get("/log/anchored/1.anchor").status_code == 404
        assert visitor.get(f"/log/stamped/{size}.anchor").status_code == 404

    def test_without_a_proof_there_is_nothing_to_download(self, visitor, parts):
        self.stamp(parts, proof=False)
        assert visitor.get("/log/stamped/1.anchor").status_code == 404


class TestFiles:
    def test_the_receipt_is_of_the_anchored_size(self, visitor, parts):
        size = anchor(parts)
        with parts.database.write() as tx:
            parts.log.append(tx, [b'{"type":"another"}'], now=parts.now() + timedelta(hours=1))
        key = Verifier.from_vkey(visitor.get("/log/vkey").text.strip())
        found = visitor.get("/log/anchored/1.tlog-proof")
        assert verify(found.content, [key]).checkpoint.size == size
        assert visitor.get("/log/anchored/1.anchor").content == FILE
        assert "/log/anchored/1.anchor" in visitor.get("/log/entry/1").text
        assert visitor.get(f"/log/anchored/{size}.anchor").status_code == 404
        assert f"/log/anchored/{size}.anchor" not in visitor.get(f"/log/entry/{size}").text

    @pytest.mark.parametrize("index", ["-1", "999999", str(1 << 70), "x"])
    def test_what_is_not_there(self, visitor, index):
        for end in ("anchor", "tlog-proof"):
            assert visitor.get(f"/log/anchored/{index}.{end}").status_code in {404, 422}
