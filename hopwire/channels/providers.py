"""Which file speaks for which kind of connector."""

from collections.abc import Callable
from typing import Any

from hopwire.channels.generic import Generic
from hopwire.channels.gms import Gms
from hopwire.channels.http import Provider
from hopwire.channels.http_php import HttpPhp
from hopwire.channels.infobip import Infobip
from hopwire.channels.turbosms import TurboSms
from hopwire.channels.viber import ViberPartner
from hopwire.channels.vonage import Vonage
from hopwire.config import (
    GenericConnector,
    GmsConnector,
    HttpConnector,
    HttpPhpConnector,
    InfobipConnector,
    TurboSmsConnector,
    ViberConnector,
    VonageConnector,
)

PROVIDERS: dict[type[HttpConnector], Callable[[Any], Provider]] = {
    ViberConnector: ViberPartner,
    InfobipConnector: Infobip,
    TurboSmsConnector: TurboSms,
    HttpPhpConnector: HttpPhp,
    GmsConnector: Gms,
    VonageConnector: Vonage,
    GenericConnector: Generic,
}


def provider(settings: HttpConnector) -> Provider:
    """The provider's file, with these settings."""
    return PROVIDERS[type(settings)](settings)
