"""What the offline check promises: one header hash and one address decide, and nothing bent passes.

The tries, encodings and hashes of independent implementations (py-trie, pyrlp, pycryptodome) are the oracle.
"""

import json
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import rlp as pyrlp
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from epilock.errors import FileFormatError, ProofError, TooLargeError
from epilock.ledger import checkpoint, note
from epilock.ledger.anchor import proof, rlp
from epilock.ledger.anchor.anchorfile import MOST_BYTES
from epilock.ledger.anchor.keccak import RATE, keccak256
from epilock.ledger.anchor.proof import FORMAT, AnchorProof
from epilock.ledger.anchor.trie import value_at

VECTORS = Path(__file__).parents[1] / "vectors/ledger"
FILE = (VECTORS / "anchor/ct8.anchor").read_bytes()
FACTS = json.loads((VECTORS / "anchor/ct8.json").read_text())
BLOCK, CONTRACT = (bytes.fromhex(FACTS[name][2:]) for name in ("block_hash", "contract"))
GOOD = proof.parse(FILE)
CT8 = checkpoint.parse(note.parse((VECTORS / "ct8.checkpoint").read_text())[0])
ITEMS = st.recursive(
    st.binary(max_size=80), lambda inner: st.lists(inner, max_size=20), max_leaves=30
)


def verify(found=GOOD, *, block_hash=BLOCK, contract=CONTRACT):
    return proof.verify(found, block_hash=block_hash, contract=contract)


class TestKeccak:
    def test_known_answers(self):
        """Of the empty string and of "abc", as every Ethereum client has them."""
        empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        assert keccak256(b"").hex() == empty
        abc = "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
        assert keccak256(b"abc").hex() == abc

    @pytest.mark.parametrize("length", [1, RATE - 1, RATE, RATE + 1, 3 * RATE - 1, 1000])
    def test_at_the_edges_of_a_block(self, length):
        assert keccak256(b"\xa5" * length) == keccak(b"\xa5" * length)

    @given(st.binary(max_size=400))
    def test_another_implementation_agrees(self, data):
        assert keccak256(data) == keccak(data)


class TestRlp:
    @given(ITEMS)
    def test_another_implementation_agrees(self, item):
        assert rlp.encode(item) == pyrlp.encode(item)

    @given(ITEMS)
    def test_back_and_forth(self, item):
        try:
            found = rlp.decode(rlp.encode(item))
        except ValueError as error:
            assert "nested" in str(error)  # noqa: PT017 - deeper than anything on a chain
        else:
            assert found == item

    @given(st.binary(max_size=60))
    def test_one_spelling(self, data):
        """Whatever is read at all is written the same again."""
        try:
            item = rlp.decode(data)
        except ValueError:
            return
        assert rlp.encode(item) == data

    @pytest.mark.parametrize(
        "data",
        ["", "81", "8100", "817f", "b800", "b837" + "00" * 55, "b90038" + "00" * 56, "c1", "c180ff",
         "80ff", "f800", "bf" + "ff" * 8, "c9" * 12],
    )  # fmt: skip
    def test_what_is_none(self, data):
        with pytest.raises(ValueError, match=r"RLP|prefix"):
            rlp.decode(bytes.fromhex(data))

    @pytest.mark.parametrize(("value", "data"), [(0, ""), (1, "01"), (256, "0100")])
    def test_numbers(self, value, data):
        assert rlp.number(value).hex() == data


class TestTrie:
    @given(
        st.dictionaries(st.binary(min_size=1, max_size=32), st.binary(min_size=1, max_size=40),
                        min_size=1, max_size=40),
        st.binary(min_size=1, max_size=32),
    )  # fmt: skip
    def test_another_implementation_agrees(self, content, other):
        trie = HexaryTrie({})
        for key, value in content.items():
            trie[keccak(key)] = value
        for key, value in content.items():
            nodes = _nodes(trie, key)
            assert value_at(trie.root_hash, key, nodes) == value
            with pytest.raises(ProofError):
                value_at(trie.root_hash, key + b"\0", nodes)
            with pytest.raises(ProofError):
                value_at(trie.root_hash, key, [*nodes, nodes[-1]])
            with pytest.raises(ProofError):
                value_at(trie.root_hash, key, nodes[:-1])
        if other not in content:
            with pytest.raises(ProofError):
                value_at(trie.root_hash, other, _nodes(trie, other))

    @pytest.mark.parametrize(
        "node",
        [
            b"", [], [b"\x20"], [b"\x20", b"a", b"b"], [b"", b"a"], [b"\x40", b"a"], [b"\x01", b"a"],
            [b"\x00", b"a"], [[], b"a"], [b""] * 17, [b"\x20" + keccak(b"k"), []],
        ],
    )  # fmt: skip
    def test_a_root_that_is_no_node(self, node):
        data = rlp.encode(node)
        with pytest.raises(ProofError):
            value_at(keccak(data), b"k", [data])

    def test_the_smallest_trie(self):
        data = rlp.encode([b"\x20" + keccak(b"k"), b"v"])
        assert value_at(keccak(data), b"k", [data]) == b"v"

    @pytest.mark.parametrize("hashed", [False, True])
    def test_a_short_node_lies_in_its_parent(self, hashed):
        """Two spellings of one trie would be two roots for one content."""
        path = keccak(b"k")
        leaf = [bytes([0x30 | path[31] & 15]), b"v"]
        branch: list[bytes | list[bytes]] = [b""] * 17
        branch[(path[31] >> 4) ^ 1] = bytes(32)  # so that the branch itself is long
        branch[path[31] >> 4] = keccak(rlp.encode(leaf)) if hashed else leaf
        inner = rlp.encode(branch)
        top = rlp.encode([b"\x00" + path[:31], keccak(inner)])
        if not hashed:
            assert value_at(keccak(top), b"k", [top, inner]) == b"v"
            return
        with pytest.raises(ProofError, match="lies in its parent"):
            value_at(keccak(top), b"k", [top, inner, rlp.encode(leaf)])


def _nodes(trie, key):
    """The nodes of a proof as ``eth_getProof`` gives them: those that lie in their parent left out."""
    found = [pyrlp.encode(each) for each in trie.get_proof(keccak(key))]
    return [each for n, each in enumerate(found) if n == 0 or len(each) >= 32]


class TestVerify:
    def test_the_vector(self):
        """Golden: made on anvil 1.7.1. Change this and anchors that people keep stop verifying."""
        done = verify()
        assert (done.origin, done.size, done.root) == (CT8.origin, CT8.size, CT8.root)
        assert (done.number, done.contract) == (FACTS["number"], CONTRACT)
        assert (
            datetime(2026, 3, 14, 1, tzinfo=UTC) <= done.at < datetime(2026, 3, 14, 2, tzinfo=UTC)
        )
        proof.check_checkpoint(done, CT8.origin, CT8.size, CT8.root)

    def test_text_and_back(self):
        assert proof.parse(GOOD.text().encode()) == GOOD
        assert GOOD.text().encode() == FILE

    @pytest.mark.parametrize(
        ("change", "step"),
        [
            ({"origin": "vectors.example/ct9"}, "anchor-root"),
            ({"size": 7}, "anchor-root"),
            ({"root": bytes(32)}, "anchor-root"),
            ({"root": CT8.root[:-1] + b"\0"}, "anchor-root"),
            ({"contract": bytes(20)}, "anchor-contract"),
            ({"header": b""}, "anchor-block"),
            ({"header": GOOD.header + b"\0"}, "anchor-block"),
            ({"account": ()}, "anchor-contract"),
            ({"account": GOOD.account[:-1]}, "anchor-contract"),
            ({"account": (*GOOD.account, b"")}, "anchor-contract"),
            ({"account": GOOD.storage}, "anchor-contract"),
            ({"storage": ()}, "anchor-root"),
            ({"storage": GOOD.storage[1:]}, "anchor-root"),
            ({"storage": (*GOOD.storage, GOOD.storage[-1])}, "anchor-root"),
            ({"storage": GOOD.account}, "anchor-root"),
        ],
    )
    def test_any_changed_field_names_its_step(self, change, step):
        with pytest.raises(ProofError, match=f"^{step}: "):
            verify(replace(GOOD, **change))

    @pytest.mark.parametrize("name", ["header", "account", "storage"])
    def test_any_changed_byte(self, name):
        parts = getattr(GOOD, name)
        nodes = (parts,) if name == "header" else parts
        for n, data in enumerate(nodes):
            for at in range(0, len(data), 7):
                bent = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                changed = bent if name == "header" else (*nodes[:n], bent, *nodes[n + 1 :])
                with pytest.raises(ProofError):
                    verify(replace(GOOD, **{name: changed}))

    def test_another_block(self):
        with pytest.raises(ProofError, match=r"^anchor-block: "):
            verify(block_hash=bytes(32))

    def test_another_contract(self):
        with pytest.raises(ProofError, match="about another contract"):
            verify(contract=bytes(20))

    def test_code_that_is_not_ours(self):
        """An operator's own contract, in which roots can be changed, proves nothing."""
        with pytest.raises(ProofError, match="not a log's contract"):
            proof.verify(GOOD, block_hash=BLOCK, contract=CONTRACT, codes={bytes(32)})

    @pytest.mark.parametrize("header", [b"\x80", [b""] * 14, [[]] * 15, [b""] * 15, b"\xc1"])
    def test_a_header_that_is_none(self, header):
        data = header if header == b"\xc1" else rlp.encode(header)
        with pytest.raises(ProofError, match=r"^anchor-block: "):
            verify(replace(GOOD, header=data), block_hash=keccak(data))

    @pytest.mark.parametrize("account", [b"\x80", [b""] * 3, [[]] * 4, b"\xc1"])
    def test_an_account_that_is_none(self, account):
        data = account if account == b"\xc1" else rlp.encode(account)
        leaf = rlp.encode([b"\x20" + keccak(CONTRACT), data])
        fields = rlp.decode(GOOD.header)
        assert isinstance(fields, list)
        fields[3] = keccak(leaf)
        header = rlp.encode(fields)
        with pytest.raises(ProofError, match=r"^anchor-contract: "):
            verify(replace(GOOD, header=header, account=(leaf,)), block_hash=keccak(header))

    def test_a_root_that_begins_with_zeros(self):
        """Storage holds numbers: leading zeros are not written."""
        root = bytes(2) + b"\1" * 30
        slot = rlp.encode([b"\x20" + keccak(proof.root_slot("log", 1)), rlp.encode(root[2:])])
        code = keccak(b"code")
        account = rlp.encode([b"\1", b"", keccak(slot), code])
        leaf = rlp.encode([b"\x20" + keccak(CONTRACT), account])
        fields = [b"", b"", b"", keccak(leaf), *[b""] * 11]
        header = rlp.encode(fields)
        made = AnchorProof(
            origin="log", size=1, root=root, contract=CONTRACT, header=header, account=(leaf,),
            storage=(slot,),
        )  # fmt: skip
        done = proof.verify(made, block_hash=keccak(header), contract=CONTRACT, codes={code})
        assert done.root == root

    @pytest.mark.parametrize(
        "claim",
        [("another", 8, CT8.root), (CT8.origin, 7, CT8.root), (CT8.origin, 8, bytes(32))],
    )
    def test_another_checkpoint(self, claim):
        with pytest.raises(ProofError, match=r"^anchor-checkpoint: "):
            proof.check_checkpoint(verify(), *claim)


class TestParse:
    @pytest.mark.parametrize(
        "data",
        [
            b"", b"\xff", b"[]", b"1", b"null", b"{}", b"[" * 100_000, b'{"format":"epilock/anchor/v1"}',
            FILE + b"{}", FILE.replace(b"v1", b"v2"), FILE.replace(b'"size": 8', b'"size": 8, "size": 8'),
            FILE.replace(b'"size": 8', b'"size": 8, "more": 1'),
        ],
    )  # fmt: skip
    def test_what_is_no_file(self, data):
        with pytest.raises(FileFormatError):
            proof.parse(data)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("size", 0), ("size", -1), ("size", 8.0), ("size", "8"), ("size", True), ("size", 2**63),
            ("origin", ""), ("origin", "a\nb"), ("origin", 1), ("origin", "\ud800"),
            ("root", "0x" + "0" * 63), ("root", "0x" + "0" * 66), ("root", "0" * 64), ("root", 1),
            ("root", "0x" + "A" * 64), ("root", "0x" + "\uff10" * 64), ("contract", "0x"),
            ("header", None), ("account", "0x"), ("account", {}), ("account", ["0x1"]),
            ("storage", [1]), ("storage", None), ("format", "epilock/anchor/v2"), ("format", []),
        ],
    )  # fmt: skip
    def test_a_field_that_is_wrong(self, name, value):
        fields = json.loads(FILE) | {name: value}
        with pytest.raises(FileFormatError):
            proof.parse(json.dumps(fields).encode())

    def test_too_large(self):
        with pytest.raises(TooLargeError, match=str(MOST_BYTES)):
            proof.parse(FILE + b" " * MOST_BYTES)

    def test_the_format_has_a_name(self):
        assert json.loads(FILE)["format"] == FORMAT

    def test_the_root_is_the_checkpoints(self):
        assert b64decode((VECTORS / "ct8.checkpoint").read_text().split("\n")[2]) == GOOD.root
