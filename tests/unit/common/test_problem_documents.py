"""Every error over HTTP is a problem document, also one that nobody foresaw; it tells nothing of the inside."""

import httpx
from fastapi import FastAPI

from common.runtime.problems import install_problem_handlers


async def test_an_unforeseen_error_is_a_problem_document_without_its_text() -> None:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/fails")
    async def fails() -> None:
        raise KeyError("postgresql://user:secret@host")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.get("/fails")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["detail"] == "the service failed (KeyError); its log says how"
