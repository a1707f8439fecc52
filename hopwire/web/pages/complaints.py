"""What the readers of the floors below complain of, so that it is said in the reader's language, too."""

from hopwire.web.pages.words import marked as _

COMPLAINTS = (
    _("must be at most 200 printable characters"),
    _("must be two capital letters of ISO 3166, such as UA"),
    _("must be an IANA name such as Europe/Kyiv"),
    _("must be at most 32 letters, digits, dots, dashes and underscores"),
    _("must not be negative"),
    _("must be more than 0"),
    _("must be on or off"),
    _("must be yes or no"),
    _("must be uk or en"),
    _("must be taken or delivered"),
    _("must be transactional or promotional"),
    _("must be refuse or merge"),
    _("must be a whole number from 1 to 1000000000"),
    _("must be a whole number from 2 to 1000"),
    _("must be a whole number from 1 to 86400"),
    _("must be home, or a list of countries (UA) and of first digits of numbers (38050), or *"),
    _("must leave some hours in which messages may go"),
    _("an amount is a decimal number such as 12.5, of at most 6 decimals, up to 10^9"),
    _("an e-mail address is NAME@DOMAIN, at most 254 characters of ASCII"),
    _("a login is 1 to 64 printable characters"),
    _("a currency is three capital letters of ISO 4217, such as UAH"),
    _("a sender name is 1 to 28 printable characters"),
)
