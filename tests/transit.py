"""A transit engine for a test, written from the API's published documentation (OpenBao 2, Vault 1).

It really seals, by AES-256-GCM with a key for each version, and really forgets a version that is trimmed. It is a
stand-in of ours: that a real engine does the same is not shown by it.
"""

import json
import os
import re
import ssl
import subprocess
import threading
import time
from base64 import b64decode, b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "s.stand-in-token"


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status, *errors):
        self.status, self.errors = status, errors


class Key:
    """One named key and its versions; ``used`` are those that sealed something."""

    def __init__(self, kind):
        self.about = {
            "type": kind, "exportable": False, "allow_plaintext_backup": False,
            "min_available_version": 0, "min_decryption_version": 1, "min_encryption_version": 0,
        }  # fmt: skip
        self.versions, self.made, self.used, self.latest = {}, {}, set(), 0
        self.rotate()

    def rotate(self):
        self.latest += 1
        self.versions[self.latest] = AESGCM(os.urandom(32))
        self.made[self.latest] = time.time_ns() // 1000  # finer than a real one, so that two differ

    def configure(self, told):
        after = {**self.about, **told}
        for name in told:
            if not self.about["min_available_version"] <= after[name] <= self.latest:
                raise RefusedError(400, f"{name} is trimmed, or larger than the latest version")
        least = after["min_encryption_version"]
        if least and least < after["min_decryption_version"]:
            raise RefusedError(
                400, "min_encryption_version must be 0 or at least min_decryption_version"
            )
        self.about = after

    def trim(self, told):
        least = told["min_available_version"]
        allowed = (self.about["min_decryption_version"], self.about["min_encryption_version"])
        if 0 in allowed or least > min(allowed) or least < 1:
            raise RefusedError(400, "min_available_version is larger than min_decryption_version")
        if least < self.about["min_available_version"]:
            raise RefusedError(400, "minimum available version cannot be decremented")
        self.about["min_available_version"] = least
        self.versions = {v: key for v, key in self.versions.items() if v >= least}


class Engine:
    """The engine behind HTTP on loopback.

    Attributes:
        keys: By name.
        sealed: Whether it says that it is.
        binds: Whether it minds associated data.
        answer: If set, the bytes of each answer.
        asked: Method and path of each request.
        changes: How many more changes it does before it says that it is sealed; None: all.
    """

    def __init__(self, folder: Path, *, certificate: Path | None = None):
        self.keys, self.sealed, self.binds, self.answer, self.asked = {}, False, True, None, []
        self.changes = None
        self.one = threading.Lock()  # a real one locks each key
        self.token = folder / "engine-token"
        self.token.touch(0o600)
        self.token.write_text(f"{TOKEN}\n")
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply("GET", {})

            def do_POST(self):
                self.reply("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def reply(self, how, told):
                engine.asked.append(f"{how} {self.path}")
                try:
                    engine.admit(self.headers["X-Vault-Token"], how, self.path)
                    with engine.one:
                        data = engine.do(how, self.path, told)
                    status, said = (204, None) if data is None else (200, {"data": data})
                except RefusedError as error:
                    status, said = error.status, {"errors": list(error.errors)}
                body = b"" if said is None else json.dumps(said).encode()
                body = body if engine.answer is None else engine.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()

    def address(self, name="root", *, epochs=False):
        query = f"token-source=file:{self.token}" + "&epoch-keys=transit" * epochs
        return f"transit+{self.url}/v1/transit/keys/{name}?{query}"

    def admit(self, token, how, path):
        if self.sealed:
            raise RefusedError(503, "Vault is sealed")
        if token != TOKEN:
            raise RefusedError(403, "permission denied")
        if how == "POST" and "/keys/" in path and self.changes is not None:
            self.changes -= 1
            self.sealed = self.changes < 0
            if self.sealed:
                raise RefusedError(503, "Vault is sealed")

    def do(self, how, path, told):
        found = re.fullmatch(r"/v1/transit/(keys|encrypt|decrypt)/([\w-]+)(?:/(\w+))?", path)
        if not found:
            raise RefusedError(404)
        what, name, then = found.groups()
        key = self.keys.get(name)
        if (how, what, then) == ("POST", "keys", None):
            if key is None:
                self.keys[name] = Key(told["type"])
            return None
        if key is None:
            raise (
                RefusedError(404)
                if what == "keys"
                else RefusedError(400, "encryption key not found")
            )
        if what == "keys":
            if how == "GET":
                least = key.about["min_decryption_version"]
                made = {str(v): key.made[v] for v in key.versions if v >= least}
                return {**key.about, "name": name, "latest_version": key.latest, "keys": made}
            do = {"rotate": lambda _: key.rotate(), "config": key.configure, "trim": key.trim}
            return do[then](told)
        aad = b64decode(told["associated_data"]) if self.binds else b""
        if what == "encrypt":
            nonce = os.urandom(12)
            key.used.add(key.latest)
            sealed = nonce + key.versions[key.latest].encrypt(
                nonce, b64decode(told["plaintext"]), aad
            )
            text = b64encode(sealed).decode()
            return {"ciphertext": f"vault:v{key.latest}:{text}", "key_version": key.latest}
        return self.decrypt(key, told["ciphertext"], aad)

    @staticmethod
    def decrypt(key, ciphertext, aad):
        _, version, text = ciphertext.split(":")
        number, sealed = int(version[1:]), b64decode(text)
        if number < key.about["min_decryption_version"]:
            raise RefusedError(
                400, "ciphertext or signature version is disallowed by policy (too old)"
            )
        if number > key.latest:
            raise RefusedError(400, "invalid ciphertext: version is too new")
        try:
            plain = key.versions[number].decrypt(sealed[:12], sealed[12:], aad)
        except (InvalidTag, ValueError):
            raise RefusedError(400, "invalid ciphertext: unable to decrypt") from None
        return {"plaintext": b64encode(plain).decode()}


def certificate(folder: Path) -> Path:
    """Return a file with a key and the certificate of this machine that it signed itself."""
    key, own = folder / "own.key", folder / "own.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1",
         "-keyout", key, "-out", own],
        check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "own.pem"
    both.write_bytes(own.read_bytes() + key.read_bytes())
    return both
