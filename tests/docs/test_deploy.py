"""What lies in deploy/ fits the program: its commands, settings and addresses exist, and the service is hardened."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from epilock import settings
from epilock.web import machine

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
MOST_EXPOSED = 2.0  # of ten, as systemd counts


def test_the_service_asks_for_what_there_is():
    text = (DEPLOY / "epilock.service").read_text()
    assert set(re.findall(r"\b(EPILOCK_\w+)=", text)) <= set(settings.VARIABLES)
    assert "Requires=epilock.socket" in text
    assert {"NoNewPrivileges=yes", "DynamicUser=yes", "LimitCORE=0"} <= set(text.splitlines())


def test_systemd_counts_it_as_hardly_exposed():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*command, str(DEPLOY / "epilock.service")], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED


def test_what_is_installed_was_tested_in_the_same_releases():
    """``run.lock`` is a part of ``dev.lock``, hashes included, and no tool of tests is in it."""

    def pinned(name):
        text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
        return {line.split()[0]: frozenset(line.split()[1:]) for line in text.splitlines() if line}

    run, dev = pinned("run.lock"), pinned("dev.lock")
    assert run.items() <= dev.items()
    names = {each.split("==")[0] for each in run}
    assert not names & {"pytest", "playwright", "django", "hypothesis", "moto", "mypy"}
    assert {"fastapi", "python-pkcs11", "boto3", "setuptools"} <= names


def test_the_container_copies_what_there_is_and_asks_an_address_that_there_is():
    text = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split())
    assert f"127.0.0.1:8600{machine.READY}" in text
    assert set(re.findall(r"\b(EPILOCK_\w+)=", text)) <= set(settings.VARIABLES)
    assert text.index("USER epilock") < text.index("ENTRYPOINT")
