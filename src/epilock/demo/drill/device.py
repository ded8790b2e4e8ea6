"""A passkey in software: signs what a browser would have a person's device sign, and also what none would."""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from epilock.store.approval import Approver

ORIGIN, RP = "https://epilock.example", "epilock.example"
PRESENT, VERIFIED = 1, 4  # flags of authenticator data (WebAuthn, section 6.1)


class Device:
    """An ES256 passkey (RFC 9053: curve P-256, algorithm -7) of one person.

    Args:
        org: The person's organisation.
        staff: Their account.
        number: Tells one device from another.
    """

    def __init__(self, org: str, staff: str, number: int = 1) -> None:
        self._key = ec.derive_private_key(number, ec.SECP256R1())
        point = self._key.public_key().public_numbers()
        # CBOR of a map with kty, alg, crv, x and y (RFC 9053, section 7.1.1)
        cose = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + point.x.to_bytes(32)
        cose += b"\x22\x58\x20" + point.y.to_bytes(32)
        credential = sha256(b"credential %d" % number).digest()
        self.approver = Approver(org=org, staff=staff, credential=credential, public_key=cose)

    def sign(
        self,
        challenge: bytes,
        *,
        origin: str = ORIGIN,
        rp: str = RP,
        flags: int = PRESENT | VERIFIED,
        count: int = 0,
        kind: str = "webauthn.get",
    ) -> str:
        """Return the assertion over ``challenge``, as the browser's JSON."""
        said = {"type": kind, "challenge": _text(challenge), "origin": origin}
        client = json.dumps(said).encode()
        data = sha256(rp.encode()).digest() + bytes([flags]) + count.to_bytes(4)
        signed = self._key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        name = _text(self.approver.credential)
        response = {
            "clientDataJSON": _text(client), "authenticatorData": _text(data),
            "signature": _text(signed),
        }  # fmt: skip
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
