"""Files that nobody would write: pieces of a good one cut out, doubled, turned round, swapped for others."""

import re

from hypothesis import strategies as st

VALID = st.sampled_from([
    b"", b" ", b"\n", b"\t", b"\r", b"+", b"-", b"0", b"1", b"=", b"A", b"\xc2\xa0", "— ".encode(),
    b"extra QEFCQw==\n", b"index 5\n", b"null", b"true", b"1.0", b"1e3", b"-1", b"\\ud800", b"{", b'"',
    b"\n\n", b"quorum none\n", b"# \n", b"any", b"all", b"\xff",
])  # fmt: skip


@st.composite
def bent(draw, data):
    """``data`` with one to three pieces cut out, doubled, swapped for others, or one octet changed."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        if draw(st.booleans()):
            at = draw(st.sampled_from([m.start() for m in re.finditer(rb"\n|\b", data)] or [0]))
        length = draw(st.integers(0, 5) | st.integers(0, 90))
        piece = data[at : at + length]
        put = draw(VALID | st.binary(max_size=2) | st.just(piece * 2) | st.just(piece[::-1]))
        data = data[:at] + put + data[at + length :]
    return data
