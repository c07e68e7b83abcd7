"""Bare Starlette: a stock JSONResponse of what ours would have answered, and nothing else."""

import json
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ANSWERS = "BENCH_ANSWERS"  # the file: {"list": a page of the plaza, "card": one post}


def build() -> Starlette:
    answers = json.loads(Path(os.environ[ANSWERS]).read_text(encoding="utf-8"))

    async def show_list(_request: Request) -> JSONResponse:
        return JSONResponse(answers["list"])

    async def create(request: Request) -> JSONResponse:
        await request.json()
        return JSONResponse(answers["card"], status_code=201)

    return Starlette(
        routes=[
            Route("/api/v1/posts", show_list, methods=["GET"]),
            Route("/api/v1/posts", create, methods=["POST"]),
        ]
    )
