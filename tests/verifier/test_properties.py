"""On inputs that nobody thought of: what is bent fails, or means the same, and two verifiers agree at which step."""

from hypothesis import example, given, settings

from epilock.errors import EpilockError
from epilock.ledger import policy
from epilock.ledger.verify import STEPS, failed_step, open_checkpoint, verify
from epilock.verifier import alone
from verifier.bent import bent
from verifier.table import TEXTS, VECTORS

MANY = settings(max_examples=300)
LEAF5 = (VECTORS / "ct8-leaf5.tlog-proof").read_bytes()
CT8 = (VECTORS / "ct8.checkpoint").read_text()
ENTRY5 = bytes.fromhex("40414243")
BOTH = TEXTS["both"].encode()
RULE, TRUST = policy.parse(BOTH), alone.read_policy(BOTH)


def steps(program, stranger):
    """Numbers of the steps at which the program and the file that stands alone fail; 0 if they do not."""
    try:
        program()
        first = 0
    except EpilockError as error:
        first = [*STEPS].index(failed_step(error)) + 1
    try:
        stranger()
        second = 0
    except alone.Failure as failure:
        second = failure.args[0]
    return first, second


@MANY
@given(bent(LEAF5))
@example(LEAF5)
def test_a_bent_proof(data):
    first, second = steps(
        lambda: verify(data, entry=ENTRY5, policy=RULE),
        lambda: alone.check_proof(data, TRUST, ENTRY5, None),
    )
    assert first == second
    if first == 0:
        done = verify(data, entry=ENTRY5, policy=RULE)
        assert (done.index, done.checkpoint.size) == (5, 8)
        assert {key.name for key in done.witnesses} == {"witness.example/ed", "witness.example/pq"}


@MANY
@given(bent(CT8.encode()))
def test_a_bent_checkpoint(data):
    text = data.decode(errors="replace")
    first, second = steps(
        lambda: open_checkpoint(text, policy=RULE), lambda: alone.check_note(text, TRUST)
    )
    assert first == second
    if first == 0:
        said, _ = open_checkpoint(text, policy=RULE)
        assert (said.origin, said.size) == ("vectors.example/ct8", 8)


@MANY
@given(bent(BOTH))
@example(BOTH)
def test_a_bent_policy(data):
    """Either both refuse it, or both read the same keys, groups and quorum."""
    first, second = steps(lambda: policy.parse(data), lambda: alone.read_policy(data))
    assert first == second
    if first == 0:
        mine, theirs = policy.parse(data), alone.read_policy(data)
        assert [key.public for key in mine.logs] == [key.public for key in theirs.logs]
        assert {n: k.public for n, k in mine.witnesses.items()} == {
            n: k.public for n, k in theirs.witnesses.items()
        }
        assert {n: (g.k, list(g.members)) for n, g in mine.groups.items()} == theirs.groups
        assert (mine.quorum or b"none") == theirs.quorum
