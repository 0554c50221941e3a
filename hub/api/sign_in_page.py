"""``/ui/``: where a person signs in and out, in any browser, with scripts or without.

Its forms are forms: they send what the page's own origin may send, and come back to the page. That
the browser says which origin it is needs a referrer policy that lets it.
"""

from html import escape
from http import HTTPStatus
from typing import Any

from litestar import Request, Response, post, route
from litestar.di import NamedDependency

from hub.api import bodies
from hub.api.auth import NOT_KEPT, address_of
from hub.api.problems import problem_of
from hub.api.schema import LOCKED_DOWN, LOOKED_AT
from hub.auth import cookies
from hub.auth.accounts import Accounts
from hub.auth.doors import Doors
from hub.auth.identity import Identity
from hub.auth.origins import OriginRefused
from hub.auth.tokens import Tokens
from hub.errors import BadCredentials, HubError, NotAuthenticated, TooManyTries
from hub.settings import Settings
from hub.wire.accounts import PASSWORD_MAX

AnyRequest = Request[Any, Any, Any]

FORM_MAX_BYTES = 16_384
HEADERS = {**LOCKED_DOWN, **NOT_KEPT, "Referrer-Policy": "same-origin"}

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: Realtime job hub</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{prefix}/schema/style.css">
</head>
<body>
<main>
<h1>Realtime job hub</h1>
{failure}
{form}
</main>
<nav aria-label="More"><p><a href="{prefix}/schema">The API of this hub</a></p></nav>
</body>
</html>
"""
SIGN_IN = """\
<form method="post" action="{prefix}/ui/sign-in">
<h2>Sign in</h2>
<label for="username">User name</label>
<input id="username" name="username" autocomplete="username" autocapitalize="none" required
maxlength="150" value="{username}">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
maxlength="{password_max}">
<p><button>Sign in</button></p>
</form>"""
SIGN_OUT = """\
<form method="post" action="{prefix}/ui/sign-out">
<h2>Signed in</h2>
<p role="status">You are <b>{username}</b>, with the role <b>{role}</b>.</p>
<p><button>Sign out</button></p>
</form>"""
FAILURE = '<p role="alert" class="failure"><b>{text}</b></p>'

SHOWN = (BadCredentials, TooManyTries, OriginRefused, NotAuthenticated)
"""Failures that a person can do something about; others are problems, as everywhere."""

ELSEWHERE = (
    "This page cannot sign you in at the address in your browser. Whoever runs this hub must say"
    " where browsers reach it (HUB_PUBLIC_URL)."
)


class SignInPage:
    """The page below a path prefix, which is empty where there is none."""

    def __init__(self, prefix: str) -> None:
        self._prefix = escape(prefix)

    def signed_in(self, identity: Identity) -> str:
        """Return the page for who is signed in."""
        form = SIGN_OUT.format(
            prefix=self._prefix, username=escape(identity.username), role=identity.role.value
        )
        return self._page("Signed in", form, "")

    def signed_out(self, username: str = "", failure: str = "") -> str:
        """Return the page for who is not, with what went wrong when they tried, if anything."""
        form = SIGN_IN.format(
            prefix=self._prefix, username=escape(username), password_max=PASSWORD_MAX
        )
        return self._page("Sign in", form, FAILURE.format(text=escape(failure)) if failure else "")

    def _page(self, title: str, form: str, failure: str) -> str:
        return PAGE.format(title=title, prefix=self._prefix, failure=failure, form=form)


@route(
    "/ui",
    http_method=LOOKED_AT,
    opt={"action": "ui_page"},
    operation_id="ui_page",
    include_in_schema=False,
)
async def ui_page(
    request: AnyRequest, doors: NamedDependency[Doors], settings: NamedDependency[Settings]
) -> Response[str]:
    """Show who is signed in, and the way in or out."""
    visitor = await doors.visitor(request.scope, "ui_page")
    page = _page(settings)
    return _html(page.signed_out() if visitor is None else page.signed_in(visitor))


@post(
    "/ui/sign-in",
    opt={"action": "ui_sign_in"},
    operation_id="ui_sign_in",
    include_in_schema=False,
    request_max_body_size=FORM_MAX_BYTES,
)
async def ui_sign_in(
    request: AnyRequest,
    doors: NamedDependency[Doors],
    accounts: NamedDependency[Accounts],
    tokens: NamedDependency[Tokens],
    settings: NamedDependency[Settings],
) -> Response[str]:
    """Sign in, and come back to the page."""
    fields = await bodies.form(request)
    username, password = fields.get("username", ""), fields.get("password", "")
    try:
        doors.check_sign_in(request.scope)
        bodies.storable(username, "username")
        if not 0 < len(username) <= 150 or len(password) > PASSWORD_MAX:
            raise BadCredentials
        cookie = await accounts.sign_in.to_cookie(username, password, address_of(request))
    except SHOWN as error:
        return _refused(_page(settings), username, error)
    return _back(settings, cookies.setting(cookie, tokens.cookie_s))


@post(
    "/ui/sign-out",
    opt={"action": "ui_sign_out"},
    operation_id="ui_sign_out",
    include_in_schema=False,
    request_max_body_size=FORM_MAX_BYTES,
)
async def ui_sign_out(
    request: AnyRequest,
    doors: NamedDependency[Doors],
    accounts: NamedDependency[Accounts],
    settings: NamedDependency[Settings],
) -> Response[str]:
    """Sign out, and come back to the page."""
    try:
        cookie = doors.cookie(request.scope, "ui_sign_out")
    except SHOWN as error:
        return _refused(_page(settings), "", error)
    if cookie is not None:
        await accounts.sign_in.ended(cookie)
    return _back(settings, cookies.CLEARED)


ROUTES = (ui_page, ui_sign_in, ui_sign_out)


def _page(settings: Settings) -> SignInPage:
    return SignInPage(settings.path_prefix)


def _refused(page: SignInPage, username: str, error: HubError) -> Response[str]:
    problem = problem_of(error)
    text = ELSEWHERE if isinstance(error, (OriginRefused, NotAuthenticated)) else problem.detail
    answer = _html(page.signed_out(username, text), problem.status)
    answer.headers.update(problem.headers)
    return answer


def _html(html: str, status: int = HTTPStatus.OK) -> Response[str]:
    return Response(html, status_code=status, media_type="text/html", headers=HEADERS)


def _back(settings: Settings, set_cookie: str) -> Response[str]:
    headers = {**HEADERS, "Location": f"{settings.path_prefix}/ui/", "Set-Cookie": set_cookie}
    return Response("", status_code=HTTPStatus.SEE_OTHER, media_type="text/html", headers=headers)
