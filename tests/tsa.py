"""A real time-stamping authority for tests: ``openssl ts`` behind HTTP on loopback, with keys made here.

Its certificates are made as a test asks for them, so that each thing a certificate can have wrong can be
had alone. What it answers can be changed on its way out, as a hostile network would.
"""

import hashlib
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from epilock.ledger.anchor import der
from epilock.ledger.anchor.der import FIELD, Reader

REPLY = "application/timestamp-reply"
POLICY, OTHER_POLICY = "1.3.6.1.4.1.32473.1", "1.3.6.1.4.1.32473.2"  # RFC 5612: for documentation
TST_INFO, SIGNED_DATA = "1.2.840.113549.1.9.16.1.4", "1.2.840.113549.1.7.2"
CONTENT_TYPE, DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
CERTIFICATE_V2, SHA256 = "1.2.840.113549.1.9.16.2.47", "2.16.840.1.101.3.4.2.1"
STAMPING = (ExtendedKeyUsageOID.TIME_STAMPING,)
YEARS = timedelta(days=3650)
CONFIG = """
[tsa]
default_tsa = its
[its]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/chain.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
digests = {digests}
accuracy = secs:1, millisecs:500, microsecs:100
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = {ess}
"""


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(subject, key, issuer, issuer_key, *, is_ca, usage=None, critical=True, since, until):
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if usage is not None:
        made = made.add_extension(x509.ExtendedKeyUsage(usage), critical=critical)
    return made.sign(issuer_key, hashes.SHA256())


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


class Authority:
    """Root, intermediate and stamping certificate in a folder, and what signs with them.

    Args:
        folder: Where its files are put.
        usage: The stamping certificate's extended key usage; None for none.
        critical: Whether that extension is critical.
        since: From when on the stamping certificate is valid.
        until: How long.
        digests: Which hashes it stamps.
        ess: Hash of the signing-certificate attribute; ``sha1`` is the one of RFC 2634.
    """

    def __init__(
        self, folder: Path, *, usage=STAMPING, critical=True, since=None, until=None,
        digests="sha256", ess="sha256",
    ):  # fmt: skip
        folder.mkdir(parents=True)
        self.folder = folder
        now = datetime.now(UTC)
        old, late = now - YEARS, now + YEARS
        root, middle, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self.root = _signed("root", root, "root", root, is_ca=True, since=old, until=late)
        self.middle = _signed("middle", middle, "root", root, is_ca=True, since=old, until=late)
        self.own = _signed(
            "stamps", own, "middle", middle, is_ca=False, usage=usage, critical=critical,
            since=since or old, until=until or late,
        )  # fmt: skip
        self.key = own
        self.root_file = folder / "root.pem"
        self.root_file.write_bytes(pem(self.root))
        (folder / "chain.pem").write_bytes(pem(self.middle))
        (folder / "tsa.pem").write_bytes(pem(self.own))
        (folder / "tsa.key").write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(
            CONFIG.format(folder=folder, policy=POLICY, digests=digests, ess=ess)
        )

    def answer(self, request: bytes) -> bytes:
        """Return what ``openssl ts -reply`` answers."""
        asked, given = self.folder / "request.tsq", self.folder / "answer.tsr"
        asked.write_bytes(request)
        subprocess.run(
            ["openssl", "ts", "-reply", "-config", str(self.folder / "tsa.cnf"),
             "-queryfile", str(asked), "-out", str(given)],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        return given.read_bytes()


def forge(authority, request, *, at=None, **change) -> bytes:
    """Return an answer that ``openssl`` would not give: signed with the authority's key, changed at will.

    Args:
        authority: Whose key and certificate sign.
        request: The request; its message and nonce are stamped.
        at: When; now, if None.
        change: By the name of a part below: other bytes for it, or a list of attributes.
    """
    asked = Reader(request).open(der.SEQUENCE)
    asked.take(der.INTEGER)
    imprint = asked.take(der.SEQUENCE).whole
    asked.maybe(der.OID)
    nonce = asked.take(der.INTEGER).whole
    when = der.item(der.TIME, f"{at or datetime.now(UTC):%Y%m%d%H%M%SZ}".encode())
    parts = {
        "imprint": imprint, "nonce": nonce, "time": when, "version": der.number(1), "more": b"",
        "accuracy": b"", "policy": der.name(POLICY), "certificate": _der(authority.own),
        "others": _der(authority.middle), "type": TST_INFO, "key": authority.key, "after": b"",
        "status": der.number(0), "digest": SHA256, "algorithm": "1.2.840.10045.4.3.2",
        "signers": 1, "signed_type": TST_INFO, "hash": None, "attributes": (), "lacks": (),
    } | change  # fmt: skip
    info = der.item(
        der.SEQUENCE, parts["version"], parts["policy"], parts["imprint"], der.number(7),
        parts["time"], parts["accuracy"], parts["nonce"], parts["more"],
    )  # fmt: skip
    named = der.item(der.OCTETS, hashlib.sha256(parts["certificate"]).digest())
    attributes = {
        CONTENT_TYPE: der.name(parts["signed_type"]),
        DIGEST: der.item(der.OCTETS, parts["hash"] or hashlib.sha256(info).digest()),
        CERTIFICATE_V2: der.item(
            der.SEQUENCE, der.item(der.SEQUENCE, der.item(der.SEQUENCE, named))
        ),
    }
    said = [
        _attribute(name, value) for name, value in attributes.items() if name not in parts["lacks"]
    ]
    body = b"".join([*said, *parts["attributes"]])
    signature = parts["key"].sign(der.item(der.SET, body), ec.ECDSA(hashes.SHA256()))
    signer = der.item(
        der.SEQUENCE, der.number(1), der.item(der.SEQUENCE),
        der.item(der.SEQUENCE, der.name(parts["digest"])), der.item(FIELD, body),
        der.item(der.SEQUENCE, der.name(parts["algorithm"])), der.item(der.OCTETS, signature),
    )  # fmt: skip
    signed = der.item(
        der.SEQUENCE, der.number(3), der.item(der.SET),
        der.item(
            der.SEQUENCE, der.name(parts["type"]), der.item(FIELD, der.item(der.OCTETS, info))
        ),
        der.item(FIELD, parts["certificate"], parts["others"]),
        der.item(der.SET, *[signer] * parts["signers"]),
    )  # fmt: skip
    token = der.item(der.SEQUENCE, der.name(SIGNED_DATA), der.item(FIELD, signed))
    return der.item(der.SEQUENCE, der.item(der.SEQUENCE, parts["status"]), token) + parts["after"]


def _der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def _attribute(name, value):
    return der.item(der.SEQUENCE, der.name(name), der.item(der.SET, value))


class Server:
    """An authority at an address of this machine.

    Attributes:
        asked: The requests that came, in order.
        before: Called with the request before the authority sees it; may return another.
        after: Called with the answer; what it returns is sent.
        status: HTTP status of the answers.
        kind: Content type of the answers.
    """

    def __init__(self, authority: Authority):
        self.authority = authority
        self.asked = []
        self.mend()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.asked.append((dict(self.headers), body))
                answer = server.after(server.authority.answer(server.before(body)))
                self.send_response(server.status)
                self.send_header("Content-Type", server.kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/stamp"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def mend(self):
        self.before = self.after = lambda data: data
        self.status, self.kind = 200, REPLY

    def stop(self):
        self._http.shutdown()
        self._http.server_close()
