"""The picture of a message, for the phone that shows it: a page shows no pictures but ours.

Rule 1: what is answered is a picture by its own bytes, whatever its far end calls it, or nothing.
Rule 2: an account has one fetched at a time; the next one waits for it.
"""

from asyncio import Lock

from starlette.responses import Response

from hopwire import images
from hopwire.errors import ApiError
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit

HEADERS = {"Cache-Control": "private, max-age=600"}


async def picture(visit: Visit) -> Response:
    body = await _fetched(visit, visit.query.get("link", ""))
    found = images.look(body)
    if found is None:
        return Response(status_code=404)
    return Response(body, headers=HEADERS, media_type=f"image/{found.kind}")


async def _fetched(visit: Visit, link: str) -> bytes:
    """The picture that the link leads to; b"": there is none, or it may not be fetched."""
    async with visit.parts.fetching.setdefault(visit.account.id, Lock()):
        try:
            return await visit.parts.pictures.fetch(link)
        except ApiError:
            return b""


PAGES = [Page("/send/picture", picture)]
