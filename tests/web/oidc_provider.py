"""A real identity provider on this machine: django-oauth-toolkit, with one person and one application.

Run as a program it serves until it is ended: ``python oidc_provider.py FOLDER PORT BACK METHOD [AMR ...]``.
"""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "city-wang", "the city's own sentence"
CLIENT, SECRET = "epilock", "made-up-client-secret"
BASIC, POST = "client_secret_basic", "client_secret_post"
SECONDS = 30


@contextmanager
def provider(
    folder: Path, port: int, back: str, *, secret_by: str = BASIC, amr: tuple[str, ...] = ()
) -> Iterator[str]:
    """Run the provider; yield its issuer. It is stopped by its own process.

    It takes the client's secret by ``secret_by`` alone, and its tokens say ``amr``.
    """
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(port), back, secret_by, *amr], stdout=log, stderr=log,
        )  # fmt: skip
    issuer = f"http://localhost:{port}/o"
    try:
        _wait(f"{issuer}/.well-known/openid-configuration", running, folder / "log")
        yield issuer
    finally:
        running.terminate()
        running.wait(SECONDS)


def _wait(address: str, running: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and running.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310 - of this machine
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(log.read_text())


def _serve(folder: Path, port: int, back: str, secret_by: str, *amr: str) -> None:
    import django  # noqa: PLC0415 - in the program's own process alone
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - likewise
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - likewise
    from django.conf import settings  # noqa: PLC0415 - likewise
    from django.core.management import call_command  # noqa: PLC0415 - likewise
    from django.urls import include, path  # noqa: PLC0415 - likewise

    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
    )  # fmt: skip
    settings.configure(
        DEBUG=False, SECRET_KEY="of a test", ALLOWED_HOSTS=["localhost"], ROOT_URLCONF=__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "db"}},
        INSTALLED_APPS=[
            "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
            "django.contrib.messages", "django.contrib.admin", "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
            "OPTIONS": {"context_processors": [
                "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]},
        }],
        LOGIN_URL="/admin/login/", STATIC_URL="/static/", USE_TZ=True,
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": pem.decode(), "PKCE_REQUIRED": True,
            "OIDC_ISS_ENDPOINT": f"http://localhost:{port}/o", "SCOPES": {"openid": "who you are"},
            "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
            "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": [secret_by],
            "OAUTH2_VALIDATOR_CLASS": "oidc_validator.Validator",
        },
        SECRET_BY=secret_by, AMR=list(amr),
    )  # fmt: skip
    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib import admin  # noqa: PLC0415 - once Django is set up
    from django.contrib.auth.models import User  # noqa: PLC0415 - likewise
    from oauth2_provider.models import Application  # noqa: PLC0415 - likewise

    User.objects.create_superuser(USER, password=PASSWORD)
    Application.objects.create(
        client_id=CLIENT, client_secret=SECRET, redirect_uris=back, name="Epilock", algorithm="RS256",
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
    )  # fmt: skip
    globals()["urlpatterns"] = [
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
        path("admin/", admin.site.urls),
    ]
    call_command("runserver", f"localhost:{port}", use_reloader=False, verbosity=0)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
