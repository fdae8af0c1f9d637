"""Sessions of the page: a token is shown once and exchanged for a cookie that no script can read."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api_gateway.application.ports import SessionDesk
from api_gateway.entrypoints.parameters import SignIn
from common.runtime.access import Access, Principal, Role
from common.runtime.guard import SAFE_METHODS, SESSION_COOKIE, Refusals, csrf_token, needed_role, principal_of

PATH = "/api/session"
PAGE, PAGE_ASSETS = "/", "/assets/"


class SessionView(BaseModel):
    """Who is asking. `csrf_token` goes into the header `X-CSRF-Token` of every unsafe request; null without a session.

    `is_required` is false where access is off: then everybody on this machine may do everything.
    """

    name: str
    role: Role
    is_required: bool
    csrf_token: str | None


def role_needed(method: str, path: str) -> Role | None:
    """As everywhere; signing in needs nothing, signing out no more than the session, and the page holds no figures."""
    if method in SAFE_METHODS and (path == PAGE or path.startswith(PAGE_ASSETS)):
        return None
    if path == PATH:
        return None if method == "POST" else Role.READ
    return needed_role(method, path)


def session_routes(access: Access, sessions: SessionDesk, refusals: Refusals) -> APIRouter:
    """Sign in, who am I, sign out."""
    router = APIRouter(prefix="/api", tags=["session"])

    @router.post("/session")
    async def sign_in(wanted: SignIn, request: Request, response: Response) -> SessionView:
        """Begins a session: the cookie is HttpOnly and SameSite=Strict, and Secure over https."""
        asking = principal_of(request)
        credential = access.find(wanted.token)
        if credential is None:
            raise refusals.problem(asking.address, "the token is not known")
        session = await sessions.begin(credential)
        response.set_cookie(
            SESSION_COOKIE,
            session,
            max_age=int(sessions.lasts_seconds),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return _view(Principal(credential.name, credential.role, asking.address), access, session)

    @router.get("/session")
    async def who_am_i(request: Request) -> SessionView:
        """The credential of this request, and the page's CSRF token."""
        return _view(principal_of(request), access, request.cookies.get(SESSION_COOKIE))

    @router.delete("/session", status_code=204)
    async def sign_out(request: Request) -> Response:
        """Ends the session, for every replica."""
        session = request.cookies.get(SESSION_COOKIE)
        if session:
            await sessions.end(session)
        response = Response(status_code=204)
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
        return response

    return router


def _view(principal: Principal, access: Access, session: str | None) -> SessionView:
    return SessionView(
        name=principal.name,
        role=principal.role,
        is_required=access.is_required,
        csrf_token=csrf_token(session) if session else None,
    )
