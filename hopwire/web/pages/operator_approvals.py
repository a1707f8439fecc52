"""What waits for the operator's word: sender names that customers have asked for."""

from starlette.responses import Response

from hopwire.store.senders import Senders
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who

SHOWN = 100
PATH = "/operator/approvals"


async def approvals(visit: Visit) -> Response:
    """Who has waited longest comes first."""
    names = await Senders(visit.parts.engine).requested(SHOWN)
    return visit.render(
        "operator_approvals.html",
        names=names,
        logins=await visit.directory.logins(one.account_id for one in names),
    )


PAGES = [Page(PATH, approvals, Who.OPERATOR)]
