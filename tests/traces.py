"""How a value that must not be anywhere is looked for: in every form in which a careless hand might write it down."""

import base64
import json
from urllib.parse import quote


def forms_of(value: str) -> set[bytes]:
    """Every way in which a careless hand might write ``value`` down."""
    plain = value.encode()
    digits = "".join(c for c in value if c.isdigit())
    aligned = (base64.b64encode(b" " * i + plain)[4 * bool(i) : -4] for i in range(3))
    return {
        plain, value.encode("utf-16-le"), value.encode("gb18030"), json.dumps(value)[1:-1].encode(),
        quote(value).encode(), ascii(value)[1:-1].encode(), plain.hex().encode(),
        *(piece for piece in aligned if len(piece) >= 8), *({digits.encode()} if len(digits) > 8 else ()),
    }  # fmt: skip
