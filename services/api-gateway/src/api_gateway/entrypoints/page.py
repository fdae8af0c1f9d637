"""The dashboard: static files that the gateway carries with it, so that it works offline and is of the same version."""

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

FILES = Path(__file__).resolve().parent.parent / "page"
ASSETS = "/assets"


def serve_page(app: FastAPI) -> None:
    """`/` and what it is made of."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(FILES / "index.html", media_type="text/html")

    app.include_router(router)
    app.mount(ASSETS, StaticFiles(directory=FILES / "assets"))
