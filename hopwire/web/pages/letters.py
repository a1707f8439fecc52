"""The letters of the gateway, in the language of who reads them.

Rule: what strangers have written (names of accounts, texts) is in none of them, so that nobody writes to
others through us.
"""

from collections.abc import Callable

from hopwire.config import Cabinet
from hopwire.model import Account
from hopwire.store.mails import Letter
from hopwire.store.notices import Notice
from hopwire.web.pages.parts import Parts
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

NOTICES = {  # kind -> how it is called in the settings, and what a letter says
    "low_balance": (_("The balance is low"), _("The balance has fallen below the amount that you have set.")),
    "spend_day_50": (
        _("Half of the daily limit is spent"),
        _("Half of what may be spent in a day is spent."),
    ),
    "spend_day_80": (
        _("80 % of the daily limit is spent"),
        _("80 % of what may be spent in a day is spent."),
    ),
    "spend_day_100": (
        _("The daily limit is spent"),
        _("What may be spent in a day is spent. Messages are refused until the day is over."),
    ),
    "spend_month_50": (
        _("Half of the monthly limit is spent"),
        _("Half of what may be spent in a month is spent."),
    ),
    "spend_month_80": (
        _("80 % of the monthly limit is spent"),
        _("80 % of what may be spent in a month is spent."),
    ),
    "spend_month_100": (
        _("The monthly limit is spent"),
        _("What may be spent in a month is spent. Messages are refused until the month is over."),
    ),
    "held": (
        _("Messages are held"),
        _("Messages look unusual and are held until the operator has looked at them."),
    ),
    "mailing_paused": (
        _("A mailing is paused"),
        _("A mailing could not go on and is paused. Its page says why."),
    ),
}


class Letters:
    """Letters to one address."""

    def __init__(
        self, cabinet: Cabinet, language: str, recipient: str, time_zone: str = "Europe/Kyiv"
    ) -> None:
        self.words = Words(language, time_zone)
        self._cabinet = cabinet
        self._recipient = recipient

    def _letter(self, subject: str, *lines: str) -> Letter:
        """Lines with empty ones between them, and who writes."""
        paragraphs = (*filter(None, lines), f"-- \n{self._cabinet.name}")
        return Letter(self._recipient, f"{self._cabinet.name}: {subject}", "\n\n".join(paragraphs) + "\n")

    def _url(self, path: str) -> str:
        """An address of ours; "" where the settings do not tell it."""
        return f"{self._cabinet.url.rstrip('/')}/{path}" if self._cabinet.url else ""

    # ---- asking for an account

    def confirm(self, token: str) -> Letter:
        words = self.words
        return self._letter(
            words("confirm your address"),
            words("Somebody, probably you, has asked for an account with this address. To confirm it, open:"),
            self._url(f"confirm/{token}"),
            words("The link works for two days. If it was not you, do nothing: there will be no account."),
        )

    def known(self) -> Letter:
        words = self.words
        return self._letter(
            words("you have an account"),
            words(
                "Somebody, probably you, has asked for an account with this address."
                " There is one already, or one that waits for the operator. You can sign in here:"
            ),
            self._url("sign-in"),
            words("If you have forgotten the password, you can set another one:"),
            self._url("reset"),
            words("If it was not you, do nothing: nothing has changed."),
        )

    def invitation(self, token: str) -> Letter:
        words = self.words
        return self._letter(
            words("you are invited"),
            words("You are invited to open an account for sending messages by Viber and SMS. Open:"),
            self._url(f"register/{token}"),
            words("The link works for seven days."),
        )

    def waits(self) -> Letter:
        """To an operator."""
        words = self.words
        return self._letter(
            words("somebody asks for an account"),
            words("Somebody has asked for an account and waits for your decision:"),
            self._url("operator/approvals"),
        )

    def approved(self) -> Letter:
        words = self.words
        return self._letter(
            words("your account is ready"),
            words("The operator has agreed: your account is ready. You can sign in with your address:"),
            self._url("sign-in"),
        )

    def refused(self) -> Letter:
        words = self.words
        return self._letter(
            words("there will be no account"),
            words("You have asked for an account here. The operator does not agree."),
        )

    # ---- one's own

    def reset(self, token: str) -> Letter:
        words = self.words
        return self._letter(
            words("another password"),
            words("Somebody, probably you, has forgotten the password. To set another one, open:"),
            self._url(f"reset/{token}"),
            words("The link works for an hour, once. If it was not you, do nothing: the password stays."),
        )

    def password_changed(self) -> Letter:
        return self._changed(self.words("the password was changed"), self.words("Your password was changed."))

    def second_factor_on(self) -> Letter:
        words = self.words
        return self._changed(words("the second factor is on"), words("The second factor was turned on."))

    def second_factor_off(self) -> Letter:
        words = self.words
        return self._changed(words("the second factor is off"), words("The second factor was turned off."))

    def email_changed(self) -> Letter:
        """To the address that it was."""
        words = self.words
        told = words("Your account has another address for mail now. Nothing more is sent to this one.")
        return self._changed(words("another address"), told)

    def _changed(self, subject: str, told: str) -> Letter:
        words = self.words
        return self._letter(
            subject, told, words("If it was not you, set another password at once, and tell the operator:"),
            self._url("reset"),
        )  # fmt: skip

    def new_email(self, token: str) -> Letter:
        """To the new address."""
        words = self.words
        return self._letter(
            words("confirm your address"),
            words("This address was given as the new one of an account. To confirm it, sign in and open:"),
            self._url(f"settings/email/{token}"),
            words("The link works for two days. If it was not you, do nothing."),
        )

    def email_taken(self) -> Letter:
        words = self.words
        return self._letter(
            words("you have an account"),
            words(
                "This address was given as the new one of an account, but it is another account's already."
            ),
            words("If it was not you, do nothing: nothing has changed."),
        )

    def notice(self, kind: str) -> Letter:
        name, told = NOTICES.get(kind, (kind, kind))
        words = self.words
        return self._letter(
            words(name), words(told), self._url(""), words("You have asked for this in the settings.")
        )


async def tell(parts: Parts, account: Account, which: Callable[[Letters], Letter], now: int) -> None:
    """Write to an account, where mail is sent and its address is known."""
    if account.email and parts.sends_mail:
        letters = Letters(parts.config.cabinet, account.language, account.email, account.time_zone)
        await parts.mails.put([which(letters)], now)


def about(cabinet: Cabinet, account: Account, notice: Notice) -> Letter:
    """A letter about a notice, as its account reads it."""
    return Letters(cabinet, account.language, account.email, account.time_zone).notice(notice.kind)
