"""What a signed note promises: who signed is said truly, and a forgery spoils the whole."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from ledgers import ORIGIN, signer

from epilock.errors import ForgedError, LedgerError, NoteError
from epilock.ledger import checkpoint, cosignature, note
from epilock.ledger.note import Signature, Signer, Verifier

VECTORS = Path(__file__).parents[1] / "vectors/ledger"
FOO = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
CT8 = (VECTORS / "ct8.checkpoint").read_text()
CT8_KEYS = [Verifier.from_vkey(k) for k in (VECTORS / "vkeys.txt").read_text().split("\n") if k]
TEXT = "one\n\ntwo\n"


class TestVectors:
    def test_the_specifications_example(self):
        text, good = note.open_note(FOO_NOTE, [Verifier.from_vkey(FOO)])
        assert text == "This is an example message.\n"
        assert [key.vkey for key in good] == [FOO]

    def test_log_and_two_witnesses(self):
        """Ed25519, timestamped Ed25519 and timestamped ML-DSA-44 over one checkpoint."""
        text, good = note.open_note(CT8, CT8_KEYS)
        assert checkpoint.parse(text).size == 8
        assert list(good) == CT8_KEYS
        assert [key.algorithm for key in good] == [1, 4, 6]

    def test_ed25519_signs_the_same_bytes_again(self):
        log = Signer.from_seed("vectors.example/ct8", b"\x01" * 32)
        text, signatures = note.parse(CT8)
        assert log.sign(text) == signatures[0]
        assert note.sign(text, [log]) == CT8[: CT8.index("— witness")]

    def test_a_mirrors_cosignature(self):
        """From sunlight's test data, over a real tree."""
        mirror = Verifier.from_vkey(
            "mirror.example.org+3fb148ef+BAAjjch9GyYz0sJsJx7ALhbdAtz2ov0unbzSl1vMp94O"
        )
        text, _ = note.open_note(
            "rome2026h1.example.org\n300\ngw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=\n\n"
            "— mirror.example.org P7FI7wAAAABpVGeAjA1S4pJm6MbcXjX7UUImu4azZtrfcVW2uyr/LXIYlwEJzXC0N0EiZ"
            "kbqfLdXt/4gVEEuGmxJjAfXKMCISpsJAg==\n",
            [mirror],
        )
        assert checkpoint.parse(text).size == 300

    def test_the_ml_dsa_message(self):
        text, signatures = note.parse(CT8)
        message = cosignature.ml_dsa_44_message(
            "witness.example/pq", checkpoint.parse(text), 1700000000
        )
        assert len(message) == 107
        assert message[:12].hex() == "737562747265652f76310a00"
        assert message[12:31] == b"\x12witness.example/pq"
        assert signatures[2].data[:8].hex() == "000000006553f100"


class TestOpen:
    def test_a_text_may_hold_empty_lines(self):
        text, _ = note.open_note(note.sign(TEXT, [signer()]), [signer().verifier])
        assert text == TEXT

    def test_an_unknown_signature_is_ignored(self):
        signed = note.sign(TEXT, [signer("other.example"), signer()])
        _, good = note.open_note(signed, [signer().verifier])
        assert good == (signer().verifier,)

    def test_the_same_name_with_another_key_is_unknown(self):
        signed = note.sign(TEXT, [signer(seed=2), signer(seed=1)])
        _, good = note.open_note(signed, [signer(seed=1).verifier])
        assert good == (signer(seed=1).verifier,)

    def test_a_known_keys_false_signature_spoils_all(self):
        """Even beside a good one of the same key."""
        good = note.sign(TEXT, [signer()])
        false = Signature(ORIGIN, signer().verifier.key_id, bytes(64)).line()
        with pytest.raises(ForgedError, match=f"signature of {ORIGIN} fails"):
            note.open_note(good + false, [signer().verifier])

    def test_no_known_key(self):
        with pytest.raises(NoteError, match="no known key"):
            note.open_note(note.sign(TEXT, [signer()]), [signer(seed=2).verifier])
        with pytest.raises(NoteError, match="no known key"):
            note.open_note(note.sign(TEXT, [signer()]), [])

    def test_a_key_that_signed_twice_counts_once(self):
        _, good = note.open_note(note.sign(TEXT, [signer(), signer()]), [signer().verifier] * 2)
        assert good == (signer().verifier,)

    def test_any_changed_octet_of_the_text_is_caught(self):
        for at in range(len(FOO_NOTE.split("\n\n", maxsplit=1)[0])):
            changed = FOO_NOTE[:at] + chr(ord(FOO_NOTE[at]) ^ 1) + FOO_NOTE[at + 1 :]
            with pytest.raises(LedgerError):
                note.open_note(changed, [Verifier.from_vkey(FOO)])

    @pytest.mark.parametrize("change", ["time", "signature", "short", "late"])
    @pytest.mark.parametrize("key", CT8_KEYS[1:], ids=lambda key: key.name)
    def test_a_changed_cosignature_is_caught(self, key, change):
        text, signatures = note.parse(CT8)
        data = bytearray(next(s.data for s in signatures if s.name == key.name))
        if change == "short":
            del data[-1]
        elif change == "late":
            data[:8] = b"\xff" * 8
        else:
            data[7 if change == "time" else -70] ^= 1
        false = Signature(key.name, key.key_id, bytes(data)).line()
        with pytest.raises(ForgedError, match=f"cosignature of {key.name} fails"):
            note.open_note(f"{text}\n{false}", [key])

    def test_a_cosignature_is_of_a_checkpoint(self):
        key = CT8_KEYS[1]
        line = Signature(key.name, key.key_id, bytes(72)).line()
        with pytest.raises(NoteError, match="a checkpoint has"):
            note.open_note(f"no checkpoint\n\n{line}", [key])

    def test_an_origin_too_long_for_ml_dsa(self):
        """The message has one octet for its length; such a cosignature cannot exist."""
        said = checkpoint.Checkpoint("x" * 256, 0, checkpoint.EMPTY_ROOT)
        key = CT8_KEYS[2]
        line = Signature(key.name, key.key_id, bytes(2428)).line()
        with pytest.raises(ForgedError):
            note.open_note(f"{said.text()}\n{line}", [key])

    def test_a_fresh_ml_dsa_cosignature(self):
        """Signing is randomised: never compared, only verified."""
        private = MLDSA44PrivateKey.from_seed_bytes(b"\x03" * 32)
        public = private.public_key().public_bytes_raw()
        key = Verifier("witness.example/pq", cosignature.ML_DSA_44, public)
        assert key == CT8_KEYS[2]
        text, _ = note.parse(CT8)
        message = cosignature.ml_dsa_44_message(key.name, checkpoint.parse(text), 5)
        data = (5).to_bytes(8) + private.sign(message)
        note.open_note(f"{text}\n{Signature(key.name, key.key_id, data).line()}", [key])
        assert cosignature.check(key.name, key.algorithm, public, text, data) == 5


class TestShape:
    LINE = FOO_NOTE.split("\n")[2]

    @pytest.mark.parametrize(
        "spoiled",
        [
            "",
            "text",
            "text\n",
            "text\n\n",
            f"text\n{LINE}\n",
            f"text\n\n{LINE}",
            f"text\r\n\n{LINE}\n",
            f"te\x00xt\n\n{LINE}\n",
            f"text\n\n{LINE}\n\n",
            f"text\n\n{LINE.replace('—', '-')}\n",
            f"text\n\n{LINE.replace('— ', '—')}\n",
            f"text\n\n{LINE.replace(' Uw', '  Uw')}\n",
            f"text\n\n{LINE} \n",
            f"text\n\n{LINE[:-1]}\n",
            f"text\n\n{LINE[:-5]}\n",
            f"text\n\n{LINE.replace('example', 'exa+mple')}\n",
            f"text\n\n{LINE.replace('example', 'exa mple')}\n",
            f"text\n\n{LINE.replace('aQM=', 'aQN=')}\n",
            f"text\n\n{LINE.replace('Uw2Q', 'Uw-Q')}\n",
            "text\n\n— foo AAAAAA==\n",
            "text\n\n— foo \n",
        ],
    )
    def test_what_is_no_note(self, spoiled):
        with pytest.raises(NoteError):
            note.parse(spoiled)

    def test_sixteen_signatures_and_many_more(self):
        signers = [signer(f"w{i}.example") for i in range(16)]
        _, good = note.open_note(note.sign(TEXT, signers), [s.verifier for s in signers])
        assert len(good) == 16

    def test_limits(self):
        line = signer().sign(TEXT).line()
        with pytest.raises(NoteError, match="at most 100 signatures"):
            note.parse(TEXT + "\n" + line * 101)
        with pytest.raises(NoteError, match="at most 1048576 bytes"):
            note.parse("x" * (1 << 20) + "\n\n" + line)

    @given(st.text())
    def test_rubbish_is_named(self, text):
        with pytest.raises(NoteError):
            note.open_note(text, [Verifier.from_vkey(FOO)])

    @given(st.text())
    def test_every_text_that_can_be_signed_comes_back(self, text):
        try:
            signed = note.sign(text, [signer()])
        except NoteError:
            return
        assert note.open_note(signed, [signer().verifier])[0] == text


class TestKeys:
    def test_a_key_is_read_as_it_is_written(self):
        for key in (FOO, *(k.vkey for k in CT8_KEYS)):
            assert Verifier.from_vkey(key).vkey == key

    @pytest.mark.parametrize(
        "key",
        [
            "Wit1+55ee4561+AVhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk",
            "Wit2+85ecc407+AWVbwFJte9wMQIPSnEnj4KibeO6vSIOEDUTDp3o63c2x",
            "Wit3+d3ed3be7+ASb6Uz1+fxAcXkMvDd7nGa3FjDce7LxIKmbbTCT0MpVn",
        ],
    )
    def test_keys_that_another_implementation_made(self, key):
        """From the tests of transparency-dev/formats (Go)."""
        assert Verifier.from_vkey(key).vkey == key

    @pytest.mark.parametrize(
        "spoiled",
        [
            "", "foo", "foo+", FOO[:-1], FOO + "A", FOO.replace("530d", "530e"),
            FOO.replace("530d903a", "530D903A"), FOO.replace("foo", "fo o"), FOO.replace("foo", ""),
            FOO.replace("+Aeky", "+Ceky"), FOO.replace("+Aeky", "++Aeky"), FOO + "\n", " " + FOO,
            FOO.replace("example.com/foo", "\u3000"), "x+00000000+",
        ],
    )  # fmt: skip
    def test_what_is_no_key(self, spoiled):
        with pytest.raises(NoteError):
            Verifier.from_vkey(spoiled)

    @pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\x01"])
    def test_what_is_no_name(self, name):
        with pytest.raises(NoteError, match="key name"):
            Signer.from_seed(name, bytes(32))

    @given(st.text(max_size=60))
    def test_rubbish_is_named(self, text):
        with pytest.raises(NoteError):
            Verifier.from_vkey(text)


class TestCheckpoint:
    GOOD = CT8.split("\n\n")[0] + "\n"

    def test_it_is_read_as_it_is_written(self):
        assert checkpoint.parse(self.GOOD).text() == self.GOOD
        with_more = self.GOOD + "extension\n"
        assert checkpoint.parse(with_more).text() == with_more

    @pytest.mark.parametrize(
        "size", ["08", "+8", "8 ", " 8", "8_0", "٨", "８", "-1", "", "9" * 20, "0x8", "1e3"]
    )
    def test_a_size_has_one_spelling(self, size):
        with pytest.raises(NoteError):
            checkpoint.parse(self.GOOD.replace("\n8\n", f"\n{size}\n"))

    @pytest.mark.parametrize(
        "change",
        [
            lambda t: t[:-1],
            lambda t: t + "\n",
            lambda t: "\n" + t,
            lambda t: t.replace("Qyg=", "Qyh="),
            lambda t: t.replace("Xcna", "Xcn"),
            lambda t: t.replace("Xcna", "Xcnaaaaa"),
            lambda t: t.replace("Xcna", " Xcn"),
            lambda t: "\n".join(t.split("\n")[:2]) + "\n",
        ],
    )
    def test_what_is_no_checkpoint(self, change):
        with pytest.raises(NoteError):
            checkpoint.parse(change(self.GOOD))

    def test_the_empty_tree_has_one_root(self):
        with pytest.raises(NoteError, match="empty tree's root"):
            checkpoint.parse(self.GOOD.replace("\n8\n", "\n0\n"))

    @given(st.text(alphabet="a8=\n +/", max_size=60))
    def test_rubbish_is_named(self, text):
        with pytest.raises(NoteError):
            checkpoint.parse(text)
