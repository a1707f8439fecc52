"""The first page of the cabinet."""

from starlette.responses import PlainTextResponse, Response

from hopwire import __version__
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who


async def home(visit: Visit) -> Response:
    """A program that looks in is told where the API is."""
    if "text/html" not in visit.request.headers.get("accept", ""):
        return PlainTextResponse(f"Hopwire {__version__}. The API is at /api/http.php.\n")
    if visit.signed_in is None:
        return visit.to("/sign-in")
    return visit.render("home.html")


PAGES = [Page("/", home, Who.VISITOR)]
