"""What a source promises: bytes or one clear error, and never more than a log's file can have."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ledgers import published, some

from epilock.errors import InputError, NotFoundError, TooLargeError
from epilock.ledger import source

FILES = published(some(300))


class Site(BaseHTTPRequestHandler):
    """A web server that holds a log, and misbehaves at other addresses."""

    def do_GET(self):
        name = self.path.removeprefix("/log/")
        if name == "moved":
            self.send_response(302)
            self.send_header("Location", "/log/checkpoint")
            self.end_headers()
        elif name == "broken":
            self.send_error(503)
        elif name == "huge/checkpoint":
            self.answer(bytes(source.MOST_CHECKPOINT + 1))
        elif name == "short":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"short")
        elif name in FILES:
            self.answer(FILES[name])
        else:
            self.send_error(404)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture(scope="module")
def site():
    server = HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/log"
    server.shutdown()
    server.server_close()
    thread.join()


class TestUrl:
    def test_it_reads(self, site):
        for address in (site, f"{site}/"):
            assert source.open_source(address).read("tile/0/000") == FILES["tile/0/000"]

    @pytest.mark.parametrize(
        ("path", "error", "said"),
        [
            ("tile/0/009", NotFoundError, "no file tile/0/009"),
            ("broken", InputError, "answers 503"),
            ("moved", InputError, "answers 302"),
            ("huge/checkpoint", TooLargeError, "larger"),
            ("short", InputError, "cannot be reached"),
        ],
    )
    def test_what_goes_wrong(self, site, path, error, said):
        where = source.Url(f"{site}/huge" if path.startswith("huge") else site)
        with pytest.raises(error, match=said):
            where.read(path.removeprefix("huge/"))

    def test_nobody_there(self):
        with pytest.raises(InputError, match="cannot be reached"):
            source.Url("http://127.0.0.1:9", seconds=1).read("checkpoint")

    @pytest.mark.parametrize(
        "address", ["ftp://x.example/log", "http://", "https://x.example/?a=b", "file:///etc"]
    )
    def test_what_is_no_address(self, address):
        with pytest.raises(InputError, match="begins with http"):
            source.open_source(address)


class TestFolder:
    def test_it_reads(self, tmp_path):
        (tmp_path / "checkpoint").write_bytes(b"x")
        assert source.open_source(str(tmp_path)).read("checkpoint") == b"x"
        with pytest.raises(NotFoundError):
            source.Folder(tmp_path).read("tile/0/000")

    def test_a_file_too_large(self, tmp_path):
        with (tmp_path / "checkpoint").open("wb") as file:
            file.truncate(source.MOST_CHECKPOINT + 1)
        with pytest.raises(TooLargeError):
            source.Folder(tmp_path).read("checkpoint")

    def test_what_is_no_folder(self, tmp_path):
        with pytest.raises(InputError, match="a folder that exists"):
            source.open_source(str(tmp_path / "none"))
        (tmp_path / "checkpoint").mkdir()
        with pytest.raises(NotFoundError):
            source.Folder(tmp_path).read("checkpoint")


def test_memory_has_limits_too():
    with pytest.raises(TooLargeError):
        source.Memory({"checkpoint": bytes(source.MOST_CHECKPOINT + 1)}).read("checkpoint")
