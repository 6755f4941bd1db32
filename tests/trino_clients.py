"""Three clients of one Trino: Python's, Trino's own command line, and JDBC; each logs in by password over HTTPS."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from services import trino_program
from services.jdks import jdk
from services.trino import PASSWORDS, Trino

Cells = list[tuple[str | None, ...]]
"""Rows whose cells are texts: the three write a date in the same way, and a whole number."""

_ASKS = Path(trino_program.__file__).with_name("AsksTrino.java")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody asks by JDBC.

    Attributes:
        what: `rows` of *sql*; or `tables` or `columns`, which a tool asks to show a tree of names.
    """

    user: str
    what: str = "rows"
    sql: str = ""


def by_python(trino: Trino, sql: str, *, user: str) -> Cells:
    """Ask by Python's client."""
    import requests
    from trino.auth import BasicAuthentication
    from trino.dbapi import connect

    session = requests.Session()
    session.trust_env = False  # REQUESTS_CA_BUNDLE would go before the next line
    session.verify = str(trino.etc / "ca.pem")
    connection = connect(  # type: ignore[no-untyped-call]  # the client annotates no arguments
        host="localhost",
        port=trino.https_port,
        http_scheme="https",
        http_session=session,
        user=user,
        auth=BasicAuthentication(user, PASSWORDS[user]),
    )
    with closing(connection):
        cursor = connection.cursor()
        cursor.execute(sql)
        return [tuple(None if cell is None else str(cell) for cell in row) for row in cursor.fetchall()]


def by_command_line(trino: Trino, sql: str, *, user: str) -> Cells:
    """Ask by Trino's command line; its failure is ours, with what it said."""
    done = subprocess.run(
        [
            str(jdk(at_least=trino_program.JAVA) / "bin" / "java"),
            *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(trino_program.command_line())),
            *("--server", f"https://localhost:{trino.https_port}", "--truststore-path", str(trino.etc / "ca.pem")),
            *("--user", user, "--password", "--output-format", "JSON", "--execute", sql),
        ],
        env={**os.environ, "TRINO_PASSWORD": PASSWORDS[user]},
        capture_output=True, encoding="utf-8", timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [tuple(None if cell is None else str(cell) for cell in row.values()) for row in rows]


def by_jdbc(trino: Trino, questions: Sequence[Question]) -> list[Cells | str]:
    """Ask several people's questions by JDBC, in one process; an answer is its rows, or the message of its error."""
    lines = (
        " ".join((_coded(each.user), _coded(PASSWORDS[each.user]), each.what, _coded(each.sql or "-")))
        for each in questions
    )
    done = subprocess.run(
        [
            str(jdk(at_least=11, compiles=True) / "bin" / "java"),
            *("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(trino_program.jdbc_driver()), str(_ASKS)),
            *(f"jdbc:trino://localhost:{trino.https_port}", str(trino.etc / "ca.pem")),
        ],
        input="\n".join(lines) + "\n", capture_output=True, encoding="utf-8", timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: list[Cells | str] = []
    rows: Cells = []
    for line in done.stdout.splitlines():
        if line == "end":
            answers.append(rows)
        elif line.startswith("error "):
            answers.append(_read(line.removeprefix("error ")) or "")
        else:
            rows.append(tuple(_read(cell) for cell in line.split(" ")))
            continue
        rows = []
    assert len(answers) == len(questions), done.stderr
    return answers


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _read(cell: str) -> str | None:
    return None if cell == "-" else base64.b64decode(cell.removeprefix("=")).decode()
