"""All kinds of connectors."""

from hopwire.config.generic import GenericConnector
from hopwire.config.gms import GmsConnector
from hopwire.config.http import ViberConnector
from hopwire.config.http_php import HttpPhpConnector
from hopwire.config.infobip import InfobipConnector
from hopwire.config.smpp import SmppConnector
from hopwire.config.turbosms import TurboSmsConnector
from hopwire.config.vonage import VonageConnector

Connector = (
    SmppConnector
    | ViberConnector
    | InfobipConnector
    | TurboSmsConnector
    | HttpPhpConnector
    | GmsConnector
    | VonageConnector
    | GenericConnector
)
KINDS: dict[str, type[Connector]] = {
    "smpp": SmppConnector,
    "viber": ViberConnector,
    "infobip": InfobipConnector,
    "turbosms": TurboSmsConnector,
    "http_php": HttpPhpConnector,
    "gms": GmsConnector,
    "vonage": VonageConnector,
    "http": GenericConnector,
}
