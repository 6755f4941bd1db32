"""`python -m bench.fixed PORT FILE`: FastAPI that answers the bytes of a file to anybody: the least a server does."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response


def serve(port: int, body: bytes) -> None:
    """Serve until it is ended."""
    app = FastAPI()

    @app.post("/graphql")
    async def fixed() -> Response:
        return Response(body, media_type="application/json")

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]).read_bytes())
