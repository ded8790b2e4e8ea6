"""What we measure ourselves against over HTTP: a bare echo, and the usual FastAPI + ORM insert.

``python -m bench.baseline echo|orm PORT [DATABASE]`` serves one of them on loopback.
"""

import json
import sys

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class Base(DeclarativeBase):
    """The baseline's own tables."""


class Row(Base):
    """One submission in plain text, as a small form handler would keep it."""

    __tablename__ = "submissions"
    id: Mapped[int] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(unique=True)
    notice: Mapped[str]
    language: Mapped[str]
    given: Mapped[str]
    name: Mapped[str]
    mobile: Mapped[str]
    temperature: Mapped[str]
    check_in: Mapped[str]


class Body(BaseModel):
    """The body of the measured form."""

    client: str
    notice: str
    language: str = "zh"
    given: list[str]
    fields: dict[str, str]


def orm(url: str) -> FastAPI:
    """Return the usual thing: parse with pydantic, insert with the ORM, one commit a request."""
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _connect(raw, _record) -> None:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")

    Base.metadata.create_all(engine)
    app = FastAPI()

    @app.post("/submissions", status_code=201)
    def submit(body: Body) -> dict[str, int]:
        fields = body.fields
        with Session(engine) as session:
            row = Row(
                client=body.client,
                notice=body.notice,
                language=body.language,
                given=json.dumps(body.given),
                name=fields["name"],
                mobile=fields["mobile"],
                temperature=fields["temperature"],
                check_in=fields["check_in"],
            )
            session.add(row)
            session.commit()
            return {"id": row.id}

    return app


def echo() -> Starlette:
    """Return the least a Starlette application can do with a body: give it back."""

    async def answer(request: Request) -> Response:
        return Response(await request.body(), status_code=201, media_type="application/json")

    return Starlette(routes=[Route("/submissions", answer, methods=["POST"])])


def main() -> None:
    """Serve the baseline named on the command line."""
    app = echo() if sys.argv[1] == "echo" else orm(sys.argv[3])
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False,
        loop="uvloop", http="httptools",
    )  # fmt: skip


if __name__ == "__main__":
    main()
