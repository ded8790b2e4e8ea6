"""What a stranger's check promises: it passes only if everything holds, and names the step that does not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import NOW, ORIGIN, new_log, signer, some

from epilock.errors import (
    EntryError,
    EpilockError,
    FileFormatError,
    ForgedError,
    InconsistentError,
    NoteError,
    OriginError,
    PolicyError,
    ProofError,
    TooLargeError,
)
from epilock.ledger import policy, proof
from epilock.ledger.note import Signature, Verifier
from epilock.ledger.verify import STEPS, failed_step, open_checkpoint, verify

VECTORS = Path(__file__).parents[1] / "vectors/ledger"
LEAF5 = (VECTORS / "ct8-leaf5.tlog-proof").read_bytes()
ENTRY5 = bytes.fromhex("40414243")
VKEYS = (VECTORS / "vkeys.txt").read_text().split("\n")[:3]
LOG, ED, PQ = (Verifier.from_vkey(key) for key in VKEYS)
BOTH = f"log {VKEYS[0]}\nwitness ed {VKEYS[1]}\nwitness pq {VKEYS[2]}\ngroup both all ed pq\nquorum both\n"
STRANGER = signer("stranger.example", 9)


def read_policy(text):
    return policy.parse(text.encode())


class TestVector:
    def test_it_verifies(self):
        done = verify(LEAF5, [LOG], ENTRY5)
        assert (done.index, done.checkpoint.size, done.entry) == (5, 8, ENTRY5)
        assert done.witnesses == ()

    def test_with_its_witnesses(self):
        done = verify(LEAF5, entry=ENTRY5, policy=read_policy(BOTH))
        assert done.witnesses == (ED, PQ)

    def test_its_checkpoint_alone(self):
        said, witnesses = open_checkpoint((VECTORS / "ct8.checkpoint").read_text(), [LOG])
        assert (said.size, witnesses) == (8, ())

    def test_it_is_written_as_it_is_read(self):
        assert proof.read(LEAF5).text().encode() == LEAF5


class TestSteps:
    """Each step has an error of its own."""

    def fails(self, step, *args, **kw):
        with pytest.raises(EpilockError) as caught:
            verify(*args, **kw)
        assert isinstance(caught.value, STEPS[step])
        assert failed_step(caught.value) == step
        return str(caught.value)

    def test_1_file(self):
        self.fails("file", b"\xff" + LEAF5, [LOG], ENTRY5)
        self.fails("file", LEAF5.replace(b"@v1", b"@v2"), [LOG], ENTRY5)
        self.fails("file", bytes(proof.MOST_BYTES + 1), [LOG], ENTRY5)

    def test_2_entry(self):
        assert "give the entry" in self.fails("entry", LEAF5, [LOG])

    def test_3_checkpoint(self):
        self.fails("checkpoint", LEAF5.replace(b"\n8\n", b"\n08\n"), [LOG], ENTRY5)

    def test_4_origin(self):
        assert "key was not given" in self.fails("origin", LEAF5, [STRANGER.verifier], ENTRY5)
        impostor = signer(LOG.name, 9).verifier
        assert "no key that was given" in self.fails("origin", LEAF5, [impostor], ENTRY5)

    def test_4_a_witness_alone_is_no_log(self):
        only_witness = b"\n".join(
            line for line in LEAF5.split(b"\n") if b"\xe2\x80\x94 vectors" not in line
        )
        told = self.fails("origin", only_witness, entry=ENTRY5, policy=read_policy(BOTH))
        assert "signed the checkpoint" in told

    def test_5_signature(self):
        self.fails("signature", LEAF5.replace(b"\n8\n", b"\n9\n"), [LOG], ENTRY5)

    def test_5_a_false_signature_of_another_known_log(self):
        """Whose key is known must have signed truly, whatever it says to be."""
        line = Signature(STRANGER.name, STRANGER.verifier.key_id, bytes(64)).line().encode()
        verify(LEAF5 + line, [LOG], ENTRY5)
        self.fails("signature", LEAF5 + line, [LOG, STRANGER.verifier], ENTRY5)

    def test_5_a_false_cosignature_of_a_known_witness(self):
        forged = LEAF5.replace(b"6gmT2AAAAABlU/EA", b"6gmT2AAAAABlU/EB")
        self.fails("signature", forged, entry=ENTRY5, policy=read_policy(BOTH))
        verify(forged, [LOG], ENTRY5)  # to who does not know the witness it is an unknown signature

    def test_6_policy(self):
        alone = b"\n".join(LEAF5.split(b"\n")[:-3]) + b"\n"
        told = self.fails("policy", alone, entry=ENTRY5, policy=read_policy(BOTH))
        assert told == "0 of 2 known witnesses cosigned, which is not the quorum 'both'"

    @pytest.mark.parametrize(
        "change",
        [
            lambda t: t.replace(b"index 5", b"index 4"),
            lambda t: t.replace(b"vBoG", b"vBoH"),
            lambda t: t.replace(b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n"),
            lambda t: t.replace(b"index 5", b"index 8"),
        ],
    )
    def test_7_inclusion(self, change):
        self.fails("inclusion", change(LEAF5), [LOG], ENTRY5)
        self.fails("inclusion", LEAF5, [LOG], b"another entry")

    def test_what_is_given_goes_before_what_is_carried(self):
        """The line ``extra`` is not authenticated: it is a hint, never a proof."""
        carrying = LEAF5.replace(b"index 5", b"extra QEFCQw==\nindex 5")
        assert verify(carrying, [LOG]).entry == ENTRY5
        lying = LEAF5.replace(b"index 5", b"extra AAAA\nindex 5")
        assert verify(lying, [LOG], ENTRY5).entry == ENTRY5
        self.fails("inclusion", lying, [LOG])

    def test_every_named_step_exists(self):
        kinds = {
            FileFormatError,
            TooLargeError,
            EntryError,
            NoteError,
            OriginError,
            InconsistentError,
            ForgedError,
            PolicyError,
            ProofError,
        }
        assert {kind for step in STEPS.values() for kind in step} == kinds


class TestProofFile:
    @pytest.mark.parametrize(
        "change",
        [
            lambda t: t.replace(b"index 5", b"index 05"),
            lambda t: t.replace(b"index 5", b"index +5"),
            lambda t: t.replace(b"index 5", b"index  5"),
            lambda t: t.replace(b"index 5", b"Index 5"),
            lambda t: t.replace(b"index 5\n", b""),
            lambda t: t.replace(b"index 5", "index ５".encode()),
            lambda t: t.replace(b"\n", b"\r\n"),
            lambda t: t.replace(b"vBoG", b"vBo"),
            lambda t: t.replace(b"Znms=", b"Znmt="),
            lambda t: t.replace(b"vBoG", b"vBoGAAAA"),
            lambda t: t.replace(b"index 5", b"extra ?\nindex 5"),
            lambda t: t.replace(b"index 5", b"extra QQ==\nextra QQ==\nindex 5"),
            lambda t: t.replace(b"index 5", b"index 5\nextra QQ=="),
            lambda t: t.split(b"\n\n")[0] + b"\n",
            lambda t: t.split(b"\n\n")[0] + b"\n\n",
            lambda t: b"\n" + t,
            lambda t: t.replace(b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n" * 1 + (b"A" * 43 + b"=\n") * 63),
        ],
    )  # fmt: skip
    def test_what_is_no_proof(self, change):
        with pytest.raises(FileFormatError):
            proof.read(change(LEAF5))

    @pytest.mark.parametrize(
        "data", [b"", b"c2sp.org/tlog-proof@v1", b"c2sp.org/tlog-proof@v1\n\nx", b"\n\n\n"]
    )
    def test_what_is_no_proof_at_all(self, data):
        with pytest.raises(FileFormatError):
            proof.read(data)

    @given(st.text(alphabet="c2sp.org/tlo-proof@v1\nindexra QA=", max_size=120))
    def test_rubbish_is_named(self, text):
        with pytest.raises(FileFormatError):
            proof.parse(text)

    @given(
        st.integers(0, 2**63 - 1),
        st.lists(st.binary(min_size=32, max_size=32), max_size=63),
        st.none() | st.binary(max_size=99),
    )
    def test_it_is_read_as_it_is_written(self, index, path, extra):
        made = proof.Proof(index, tuple(path), "checkpoint\n", extra)
        assert proof.parse(made.text()) == made


class TestPolicy:
    def keys(self, count):
        return [Verifier(f"w{i}.example", 4, bytes([i]) * 32) for i in range(count)]

    def test_groups_of_groups(self):
        """The specification's example: two of X and any of Y."""
        keys = self.keys(6)
        lines = [f"witness {name} {key.vkey}" for name, key in zip("abcdef", keys, strict=True)]
        lines += ["group X 2 a b c", "group Y any d e f", "group both all X Y", "quorum both", ""]
        rule = read_policy("\n".join(lines))
        rule.check([keys[0], keys[2], keys[5]])
        for few in ([], keys[:3], keys[3:], [keys[0], keys[5]]):
            with pytest.raises(PolicyError, match="not the quorum 'both'"):
                rule.check(few)

    def test_a_witness_may_be_the_quorum(self):
        key = self.keys(1)[0]
        rule = read_policy(f"witness w {key.vkey} https://w.example\nquorum w")
        rule.check([key])
        with pytest.raises(PolicyError):
            rule.check([])

    def test_none_asks_for_nobody(self):
        rule = read_policy(" \t# a comment\n\n\tquorum \t none \n")
        rule.check([])
        assert rule.logs == []

    def test_names_are_octets(self):
        first, second = self.keys(2)
        data = (
            b"witness K %s\nwitness \xe2\x84\xaa %s\ngroup \xff any K \xe2\x84\xaa\nquorum \xff\n"
            % (
                first.vkey.encode(),
                second.vkey.encode(),
            )
        )
        rule = policy.parse(data)
        rule.check([second])

    def test_forty_of_each(self):
        keys = self.keys(40)
        lines = [f"witness w{i} {key.vkey}" for i, key in enumerate(keys)]
        lines += [f"group g{i} all w{i}" for i in range(40)]
        lines += ["group all 40 " + " ".join(f"g{i}" for i in range(40)), "quorum all"]
        lines += [f"log {signer(f'l{i}.example', 100 + i).vkey}" for i in range(40)]
        read_policy("\n".join(lines)).check(keys)

    W = "witness a " + VKEYS[1]

    @pytest.mark.parametrize(
        "text",
        [
            "", "quorum", "quorum none none", "quorum none\nquorum none", "quorum a", W,
            f"quorum a\n{W}", f"{W}\n{W}\nquorum a", f"{W}\nwitness b {VKEYS[1]}\nquorum a",
            f"{W}\nwitness a {VKEYS[2]}\nquorum a", f"{W}\ngroup a any a\nquorum a",
            f"{W}\ngroup g 0 a\nquorum g", f"{W}\ngroup g 2 a\nquorum g", f"{W}\ngroup g any\nquorum g",
            f"{W}\ngroup g 01 a\nquorum g", f"{W}\ngroup g +1 a\nquorum g", f"{W}\ngroup g most a\nquorum g",
            f"{W}\ngroup g 1 a a\nquorum g", f"{W}\ngroup g any a\ngroup h any a\nquorum g",
            f"{W}\ngroup g any g\nquorum g", f"{W}\ngroup g any none\nquorum g",
            f"witness none {VKEYS[1]}\nquorum none", f"{W}\ngroup none any a\nquorum none",
            f"witness a {VKEYS[0]}\nquorum a", f"log {VKEYS[1]}\nquorum none",
            f"log {VKEYS[0]}\nlog {VKEYS[0]}\nquorum none", f"log {VKEYS[0]} u v\nquorum none",
            f"{W}\r\nquorum a", "quorum none\x00", "quorum none\x7f", "Quorum none",
            "quorum\u00a0none", f"witness a {VKEYS[1][:-1]}\nquorum a", "group g",
        ],
    )  # fmt: skip
    def test_what_is_no_policy(self, text):
        with pytest.raises(FileFormatError):
            read_policy(text)

    def test_a_key_under_another_name_is_the_same_key(self):
        again = Verifier("other.example", 4, ED.public).vkey
        with pytest.raises(FileFormatError, match="line 2 of the policy: this public key"):
            read_policy(f"{self.W}\nwitness b {again}\nquorum a")

    @given(st.binary(max_size=80))
    def test_rubbish_is_named(self, data):
        with pytest.raises(FileFormatError):
            policy.parse(data)

    def test_a_policy_too_large(self):
        with pytest.raises(TooLargeError):
            policy.parse(bytes(policy.MOST_BYTES + 1))


class TestOurReceipts:
    def test_each_entry_of_a_batch_proves_itself(self, database):
        """With no network, no database and one key."""
        log, entries = new_log(), some(300)
        with database.write() as tx:
            log.append(tx, entries[:251], now=NOW)
        with database.write() as tx:
            batch = log.append(tx, entries[251:], now=NOW)
        texts = log.proof_texts(batch, log.sign(batch))
        for index, text in enumerate(texts, 251):
            done = verify(text, [signer().verifier])
            assert (done.index, done.entry) == (index, entries[index])
            assert done.checkpoint.origin == ORIGIN

    def test_the_slow_way_gives_the_same_file(self, database):
        log, entries = new_log(), some(70)
        with database.write() as tx:
            batch = log.append(tx, entries, now=NOW)
        texts = log.proof_texts(batch, log.sign(batch))
        with database.read() as tx:
            assert [log.proof(tx, index) for index in range(70)] == texts
            assert [tuple(log.inclusion(tx, i)) for i in range(70)] == log.proofs(batch)
