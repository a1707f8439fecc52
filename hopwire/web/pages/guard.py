"""What every page is answered with, and from whom a form is taken.

Rule 1: a form is taken only from our own pages. Browsers say where a request comes from (Sec-Fetch-Site,
Origin); who says neither has no cookie of ours either, or is not listened to.
Rule 2: a page runs only our own scripts and styles, and nobody may frame it.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

SAFE = {"GET", "HEAD", "OPTIONS"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000"


def is_ours(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request may change something."""
    if method in SAFE:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == headers.get("host", "")
    return "cookie" not in headers


def inner(path: str) -> str:
    """A path of ours to go on to, out of what came in a request; "/" where it leads elsewhere."""
    parts = urlsplit(path)
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain and not parts.netloc and not parts.scheme else "/"
