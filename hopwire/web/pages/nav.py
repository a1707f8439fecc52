"""The way through the pages: what stands in the menu, in its order."""

from typing import NamedTuple

from hopwire.web.pages.words import marked as _


class Entry(NamedTuple):
    path: str
    title: str
    icon: str


CABINET = (
    Entry("/", _("Home"), "home"),
    Entry("/send", _("Send"), "send"),
    Entry("/messages", _("Messages"), "sms"),
    Entry("/mailings", _("Mailings"), "list"),
    Entry("/inbox", _("Inbox"), "inbox"),
    Entry("/texts", _("Saved texts"), "text"),
    Entry("/senders", _("Sender names"), "name"),
    Entry("/stop-list", _("Stop list"), "stop"),
    Entry("/keys", _("API keys"), "key"),
    Entry("/requests", _("Requests"), "log"),
    Entry("/console", _("Console"), "console"),
    Entry("/money", _("Money"), "money"),
    Entry("/settings", _("Settings"), "settings"),
)
OPERATOR = (
    Entry("/operator", _("Overview"), "pulse"),
    Entry("/operator/accounts", _("Accounts"), "people"),
    Entry("/operator/messages", _("All messages"), "sms"),
    Entry("/operator/holds", _("Held messages"), "pause"),
    Entry("/operator/prices", _("Prices"), "money"),
    Entry("/operator/routes", _("Routes"), "route"),
    Entry("/operator/connectors", _("Connectors"), "plug"),
    Entry("/operator/receipts", _("Unmatched receipts"), "question"),
    Entry("/operator/approvals", _("Approvals"), "check"),
    Entry("/operator/stop-list", _("Stop lists"), "stop"),
    Entry("/operator/audit", _("Audit"), "log"),
    Entry("/operator/system", _("System"), "settings"),
)


def menu(signed_in: bool, is_operator: bool) -> list[tuple[str, tuple[Entry, ...]]]:
    """The menu of who asks, in groups with their titles."""
    groups: list[tuple[str, tuple[Entry, ...]]] = [("", CABINET)] if signed_in else []
    if is_operator:
        groups.append((_("Operator"), OPERATOR))
    return groups


def is_current(entry: Entry, path: str) -> bool:
    """Whether the page is this entry's, or below it."""
    if entry.path in ("/", "/operator"):
        return path == entry.path
    return path == entry.path or path.startswith(f"{entry.path}/")
