"""What the terminal promises whatever it is given: an exit code and a sentence, never a traceback."""

import re
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pyotp
import pytest
import typer
from typer.testing import CliRunner

from epilock import assemble, settings
from epilock.accounts import credentials, provider, session, staff, totp
from epilock.assemble import INSTALLATION
from epilock.cli import main
from epilock.cli.app import app
from epilock.cli.failure import explain
from epilock.errors import EpilockError, SignInError
from epilock.ledger import entry

NOW = "2026-03-14T09:00:00+08:00"
CITY = (
    "--name-zh", "清和市", "--name-en", "Qinghe", "--area", "370102", "--address", "1 Renmin Rd",
    "--telephone", "0531-80000000", "--officer", "officer", "--complaints", "complaints@x.example",
    "--supervisor", "the cyberspace office",
)  # fmt: skip
LONG_RUNNING = {
    "serve",
    "keys serve",
    "backup follow",
    "witness serve",
    "demo run",
    "demo life",
    "demo departments",
    "watch run",
}
HARMLESS = {  # what each parameter may be while another one is tried
    "org": "city", "bucket": "city/flood/staffing/2026-03-14", "code": "city/flood", "level": "II",
    "login": "admin", "who": "admin@city", "kind": "government", "area": "370102", "index": "0",
    "circumstance": "staffing", "reason": "due", "until": "2026-03-20", "date_": "2026-03-14",
    "purpose": "tracing", "form": "masked", "role": "collector", "source": "city", "day": "2026-03-14",
    "emergency_": "city/flood", "emergency": "city/flood", "number": "0", "subjects": "1",
    "category": "contact.mobile", "about": "staffing", "processor": "city", "key": "x+00000000+AQ==",
}  # fmt: skip
TEXTS = ("../..", "\udcff" + "清" * 300)
NUMBERS = ("-1", "9" * 23)


def commands(found, words=()):
    """Yield (words, command) for every command below ``found``."""
    for name, command in getattr(found, "commands", {}).items():
        yield from commands(command, (*words, name))
    if not hasattr(found, "commands"):
        yield words, found


COMMANDS = {" ".join(w): c for w, c in commands(typer.main.get_command(app))}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("terminal") / "home"
    with pytest.raises(SystemExit) as ended:
        main(["init", "city", *CITY, "--home", str(home), "--now", NOW])
    assert not ended.value.code
    return home


@pytest.fixture
def run(capsys):
    """Run the program; return its exit code, what it printed and what it complained of."""

    def run(*words):
        capsys.readouterr()
        try:
            main([*map(str, words)])
        except SystemExit as ended:
            out, err = capsys.readouterr()
            return ended.code or 0, out, err
        raise AssertionError("a command ends with an exit code")

    return run


class TestHelp:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_and_option_says_what_it_is(self, name):
        command = COMMANDS[name]
        assert command.help
        untold = [
            p.name for p in command.params if p.name != "help" and not getattr(p, "help", None)
        ]
        assert untold == []


class TestBadInput:
    @pytest.mark.parametrize("name", sorted(set(COMMANDS) - LONG_RUNNING))
    def test_whatever_a_parameter_is(self, name, run, home, tmp_path, monkeypatch):
        """Each parameter in turn is many odd things, while the others are as they should be."""
        monkeypatch.chdir(tmp_path)
        command = COMMANDS[name]
        for tried in command.params:
            for value in odd(tried, tmp_path):
                code, _, err = run(*words(name, command, tried, value, home))
                assert code in {0, 1, 2}, (tried.name, value)
                assert "Traceback" not in err, (tried.name, value)


def odd(tried, folder):
    kind = tried.type_descriptor.annotation if tried.name != "help" else bool
    if kind is Path:
        noise = folder / "noise"
        noise.write_bytes(bytes(range(256)))
        return (folder / "none", folder, noise)
    return {int: NUMBERS, bool: ()}.get(kind, TEXTS)


def words(name, command, tried, value, home):
    """Return a command line where only ``tried`` is odd."""
    options, arguments = [], []
    for p in command.params:
        given = home if p.name == "home" else HARMLESS.get(p.name, "file") if p.required else None
        given = value if p is tried else given
        if given is None:
            continue
        if p.opts[0].startswith("-"):
            options.append(f"{p.opts[0]}={given}")
        else:
            arguments.append(str(given))
    return [*name.split(), *options, "--", *arguments]


class TestOneLine:
    """What went wrong is one line that says where; the exit code is 2, for there is no answer."""

    @pytest.mark.parametrize(
        ("told", "says"),
        [
            ("postgresql+psycopg://nobody:hunter2@127.0.0.1:1/x", "the database cannot be used"),
            ("mysql://nobody:hunter2@127.0.0.1/x", "EPILOCK_DATABASE must be sqlite"),
            ("hunter2", "EPILOCK_DATABASE must be sqlite"),
            ("sqlite:////dev/null/hunter2", "/dev/null"),
        ],
    )
    def test_a_database_that_is_not_there(self, told, says, run, home, monkeypatch):
        monkeypatch.setenv("EPILOCK_DATABASE", told)
        code, out, err = run("organisation", "list", "--home", home)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert says in err
        assert ":hunter2" not in err

    def test_no_installation(self, run, tmp_path):
        code, _, err = run("organisation", "list", "--home", tmp_path)
        assert (code, err.count("\n")) == (1, 1)
        assert "epilock init" in err

    def test_a_slip_leaves_no_half_made_installation(self, run, tmp_path):
        code, _, _ = run("init", "city", *CITY, "--area", "37", "--home", tmp_path / "new")
        assert (code, (tmp_path / "new").exists()) == (2, False)

    def test_the_readers_end(self, home):
        """`epilock … | head` ends quietly."""
        program = (
            f"from epilock.cli import main; main(['staff', 'list', 'city', '--home', '{home}'])"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as done:
            done.stdout.close()
            assert b"Traceback" not in done.stderr.read()


class TestStaff:
    PASSWORD = "a sentence that is long enough"

    @pytest.fixture
    def say(self, tmp_path):
        """Run a command at an installation of its own, with what is typed; return output or fail."""
        at = ("--home", str(tmp_path / "home"), "--now", NOW)

        def say(*words, typed=(), code=0):
            timeless = words[0] == "ledger" or words[1] in {"list", "next"}
            where = at[:2] if timeless else at
            result = CliRunner().invoke(
                app, [*words, *where], input="".join(f"{t}\n" for t in typed)
            )
            if isinstance(result.exception, EpilockError):
                text, found = explain(result.exception)
                assert found == code, text
                return text
            assert result.exit_code == code, result.output
            return result.output

        say.at = at
        say.once = say("init", "city", *CITY).split("password: ")[1].split()[0]
        return say

    def enter(self, say, who, once):
        say("staff", "password", "--as", who, typed=(once, "", self.PASSWORD, self.PASSWORD))

    def test_colleagues_come_in_by_a_file_and_are_confirmed(self, say, tmp_path):
        self.enter(say, "admin@city", say.once)
        file, out = tmp_path / "staff.csv", tmp_path / "once.csv"
        file.write_text("userName,active,roles\nanna,true,custodian\n")
        words, typed = (
            ("staff", "import", "city", str(file), "--as", "admin@city"),
            (self.PASSWORD, ""),
        )
        shown = say(*words, typed=typed)
        assert "new      anna" in shown
        mark = shown.split("fingerprint: ")[1].split()[0]
        done = say(*words, "--fingerprint", mark, "--passwords", str(out), typed=typed)
        assert "1 accounts of city are as the file says, 1 of them new" in done
        assert out.stat().st_mode & 0o777 == 0o600
        assert out.read_text().splitlines()[1].startswith("anna,")
        listed = say(
            "staff", "review", "city", "--confirm", "anna", "--as", "admin@city", typed=typed
        )
        assert re.search(r"anna +custodian +due \d{4}-\d\d-\d\d bare", listed)

    PROVIDER = (
        "staff", "provider", "set", "city", "--issuer", "https://login.city.example", "--client", "epilock",
        "--factor", "mfa", "--as", "admin@city",
    )  # fmt: skip

    def provider(self, say, word, *more, code=0):
        """Run a command about the provider as the administrator."""
        words = ("staff", "provider", word, "city", *more, "--as", "admin@city")
        return say(*words, typed=(self.PASSWORD, ""), code=code)

    def colleague(self, say, login, role="custodian"):
        words = ("staff", "add", "city", login, "--role", role, "--as", "admin@city")
        self.enter(say, f"{login}@city", say(*words, typed=(self.PASSWORD, "")).split()[-1])

    def test_accounts_are_linked_to_the_organisations_own_provider(self, say):
        self.enter(say, "admin@city", say.once)
        assert "no identity provider" in self.provider(say, "show", code=1)
        said = say(*self.PROVIDER, typed=(self.PASSWORD, "", "hush"))
        assert "/console/sign-in/provider/back" in said
        self.colleague(say, "anna")
        token = say("staff", "token", "--as", "anna@city", typed=(self.PASSWORD, "")).strip()
        before = self.roles_said(say)
        self.provider(say, "link", "anna", "u-1")
        assert self.roles_said(say)[len(before) :] == [[], ["custodian"]]
        shown = self.provider(say, "show")
        assert "linked             anna  u-1" in shown
        assert "second factor by   mfa" in shown
        assert "hush" not in shown
        with pytest.raises(SignInError), self.writing(say) as (tx, now):
            session.find(tx, token, now=now)
        again = say(*self.PROVIDER, typed=(self.PASSWORD, "", ""))
        assert "1 accounts are linked" in again
        self.provider(say, "unlink", "anna")
        assert "linked" not in self.provider(say, "show")
        self.provider(say, "link", "anna", "u-1")
        self.provider(say, "remove")
        assert "no identity provider" in self.provider(say, "show", code=1)
        assert "no identity provider" in self.provider(say, "remove", code=1)

    def test_nobody_links_themselves_and_only_an_administrator_links(self, say):
        self.enter(say, "admin@city", say.once)
        say(*self.PROVIDER, typed=(self.PASSWORD, "", "hush"))
        assert "another administrator links" in self.provider(say, "link", "admin", "u-1", code=1)
        self.colleague(say, "anna")
        for words in (("link", "city", "anna", "u-1"), ("show", "city"), ("remove", "city")):
            asked = ("staff", "provider", *words, "--as", "anna@city")
            assert "takes the role administrator" in say(*asked, typed=(self.PASSWORD, ""), code=1)

    def test_the_clients_secret_comes_from_a_file_that_its_owner_alone_reads(self, say, tmp_path):
        self.enter(say, "admin@city", say.once)
        file = tmp_path / "secret"
        file.write_text("hush\n")
        words = (*self.PROVIDER, "--secret-file", str(file))
        file.chmod(0o640)
        assert "chmod 600" in say(*words, typed=(self.PASSWORD, ""), code=2)
        file.chmod(0o600)
        file.write_bytes(b"hush\xff\n")
        assert "is not text in UTF-8" in say(*words, typed=(self.PASSWORD, ""), code=2)
        file.write_text("hush\n")
        say(*words, typed=(self.PASSWORD, ""))
        with self.writing(say) as (tx, _):
            sealed = provider.load(tx, "city")
        told = settings.read({}, home=Path(say.at[1]))
        with closing(assemble.build(told, now=lambda: None)) as parts:
            key = parts.keys.secret(INSTALLATION, "provider")
        assert sealed.client_at("https://e.example/back", key).secret == "hush"

    @contextmanager
    def writing(self, say):
        """A transaction of the installation, and its instant."""
        told, now = settings.read({}, home=Path(say.at[1])), datetime.fromisoformat(NOW)
        with (
            closing(assemble.build(told, now=lambda: now)) as parts,
            parts.database.write() as tx,
        ):
            yield tx, now

    def roles_said(self, say):
        """What the ledger says of roles, in order."""
        told = settings.read({}, home=Path(say.at[1]))
        with closing(assemble.build(told, now=lambda: None)) as parts, parts.database.read() as tx:
            said = [entry.decode(e) for e in parts.log.entries(tx, 0, parts.log.size(tx))]
        return [e.roles for e in said if isinstance(e, entry.Role)]

    def test_a_recovery_code_stands_for_the_second_factor_once(self, say):
        self.enter(say, "admin@city", say.once)
        renew = ("staff", "recovery-codes", "--as", "admin@city")
        assert "set up one first" in say(*renew, typed=(self.PASSWORD, ""), code=1)
        key, now = totp.new_key(), datetime.fromisoformat(NOW)
        told = settings.read({}, home=Path(say.at[1]))
        with (
            closing(assemble.build(told, now=lambda: now)) as parts,
            parts.database.write() as tx,
        ):
            credentials.enrol_totp(
                tx, secret=parts.keys.secret(INSTALLATION, "totp"), org="city",
                code=staff.by_login(tx, "city", "admin").staff, key=key,
                proof=pyotp.TOTP(key).at(now - timedelta(seconds=30)), now=now,
            )  # fmt: skip
        codes = say(*renew, typed=(self.PASSWORD, pyotp.TOTP(key).at(now))).split()[-10:]
        assert all(re.fullmatch("([a-z2-7]{4}-){3}[a-z2-7]{4}", code) for code in codes)
        assert "is used up" in say(*renew, typed=(self.PASSWORD, codes[0]))
        assert "wrong" in say(*renew, typed=(self.PASSWORD, codes[1]), code=1)

    def test_from_the_one_time_password_to_a_colleague(self, say):
        words = ("staff", "add", "city", "anna", "--role", "custodian", "--as", "admin@city")
        assert "one-time password first" in say(*words, typed=(say.once, ""), code=1)
        self.enter(say, "admin@city", say.once)
        once = say(*words, typed=(self.PASSWORD, "")).split()[-1]
        listed = say("staff", "list", "city")
        assert re.search(
            r"s-\w{12} anna +custodian \(no second factor, one-time password\)", listed
        )
        self.enter(say, "anna@city", once)
        words = ("staff", "roles", "city", "anna", "--role", "approver", "--as", "anna@city")
        assert "takes the role administrator" in say(*words, typed=(self.PASSWORD, ""), code=1)

    def test_what_is_disabled_signs_in_no_more(self, say):
        self.enter(say, "admin@city", say.once)
        admin = ("--as", "admin@city")
        once = say(
            "staff", "add", "city", "anna", "--role", "analyst", *admin, typed=(self.PASSWORD, "")
        ).split()[-1]
        self.enter(say, "anna@city", once)
        say("staff", "token", "--as", "anna@city", typed=(self.PASSWORD, ""))
        say("staff", "disable", "city", "anna", *admin, typed=(self.PASSWORD, ""))
        words = ("staff", "token", "--as", "anna@city")
        assert "is wrong" in say(*words, typed=(self.PASSWORD, ""), code=1)
        assert "anna" not in say("staff", "list", "city")

    def test_nobody_disables_or_changes_their_own_account_nor_the_last_administrator(self, say):
        self.enter(say, "admin@city", say.once)
        own, typed = ("city", "admin", "--as", "admin@city"), (self.PASSWORD, "")
        for words in (("disable", *own), ("roles", *own, "--role", "custodian")):
            assert "another administrator changes" in say("staff", *words, typed=typed, code=1)
        sunny = [*CITY, "--kind", "compound", "--parent", "city", "--administrator", "chief"]
        say("organisation", "add", "sunny", *sunny)
        last = ("sunny", "chief", "--as", "admin@city")
        for words in (("disable", *last), ("roles", *last, "--role", "custodian")):
            assert "no administrator would be left" in say("staff", *words, typed=typed, code=1)
        assert "administrator" in say("staff", "list", "sunny")

    def test_a_second_factor_is_asked_for(self, say):
        self.enter(say, "admin@city", say.once)
        program = "import sys; from epilock.cli import main; main(sys.argv[1:])"
        words = ("staff", "second-factor", "--as", "admin@city", *say.at)
        with subprocess.Popen(
            [sys.executable, "-c", program, *words], text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as device:  # fmt: skip
            device.stdin.write(f"{self.PASSWORD}\n\n")
            device.stdin.flush()
            shown = next(line for line in device.stderr if "type this key" in line)
            key = pyotp.TOTP(shown.split()[-1])
            at = datetime.fromisoformat(NOW)
            device.stdin.write(f"{key.at(at)}\n")
            device.stdin.close()
            assert "is set up" in device.stdout.read()
        words = ("staff", "token", "--as", "admin@city")
        assert "is wrong" in say(*words, typed=(self.PASSWORD, ""), code=1)
        later = key.at(at + timedelta(seconds=30))
        assert say(*words, typed=(self.PASSWORD, later)).startswith("city.")

    def test_two_administrators_seal_a_log_and_begin_another(self, say, tmp_path):
        """Repeating it says the same again; a third person may export both and follow them."""
        self.enter(say, "admin@city", say.once)
        admin = ("--as", "admin@city")
        words = ("staff", "add", "city", "anna", "--role", "administrator", *admin)
        self.enter(say, "anna@city", say(*words, typed=(self.PASSWORD, "")).split()[-1])
        coming = say("log-key", "next", "log.example/2027").strip()
        assert coming.startswith("log.example/2027+")
        words = ("log-key", "succeed", "log.example/2027", *admin, "--second")
        assert "nobody changes a key alone" in say(*words, "admin@city", code=1)
        both = (self.PASSWORD, "", self.PASSWORD, "")
        said = say(*words, "anna@city", typed=both)
        assert f"the log log.example/2027 has begun: {coming}" in said
        assert "announce one" in said
        assert say(*words, "anna@city", typed=both) == said
        listed = say("ledger", "list").splitlines()
        assert listed[0].endswith("sealed; entries from 0 on")
        assert listed[2] == "2 log.example/2027: 1 entries, takes entries; entries from 5 on"
        folders = [str(tmp_path / number) for number in "12"]
        for number, folder in zip("12", folders, strict=True):
            say("ledger", "export", folder, "--log", number)
            assert "is what the database makes of it" in say(
                "ledger", "check", folder, "--log", number
            )
        key = say("ledger", "key", "--log", "1").strip()
        assert say("ledger", "key").strip() == coming
        assert "no log number 3" in say("ledger", "key", "--log", "3", code=1)
        logs = ("--log", folders[0], "--log", folders[1])
        result = CliRunner().invoke(app, ["monitor", *logs, "--key", key, "--now", NOW])
        assert result.exit_code == 0, result.output
        assert result.output.count("nothing is wrong") == 2

    def test_a_reset_is_seen_by_everyone(self, say):
        assert "give --as" not in say("staff", "reset", "city", "admin")
        assert self.roles_said(say) == [["administrator"], [], ["administrator"]]

    def test_nobody_else_is_reset_without_an_administrator(self, say):
        self.enter(say, "admin@city", say.once)
        say(
            "staff", "add", "city", "anna", "--role", "analyst", "--as", "admin@city",
            typed=(self.PASSWORD, ""),
        )  # fmt: skip
        assert "give --as" in say("staff", "reset", "city", "anna", code=2)

    def test_who_is_signed_in_resets_others_and_not_themselves(self, say):
        self.enter(say, "admin@city", say.once)
        words = ("staff", "reset", "city", "admin", "--as", "admin@city")
        assert "another administrator resets" in say(*words, typed=(self.PASSWORD, ""), code=1)
