"""The settings: `hopwire.toml`, and the environment over it.

Rule 1: a setting explains itself; the manual and the example file are printed from the classes here.
Rule 2: what is wrong is named with its key, its value and what is allowed; a secret's value is never shown.
Rule 3: nobody else reads the settings' part of the environment.

`HOPWIRE__SECTION__KEY=value` sets one key; `HOPWIRE__SECTION__KEY_FILE=path` takes the value from a file.
"""

from hopwire.config.connectors import KINDS, Connector
from hopwire.config.explain import Setting, describe, example, required_secrets, settings_of, toml
from hopwire.config.fields import ConfigError, secret_names
from hopwire.config.generic import GenericConnector
from hopwire.config.gms import GmsConnector
from hopwire.config.http import HttpConnector, ViberConnector
from hopwire.config.http_php import HttpPhpConnector
from hopwire.config.infobip import InfobipConnector
from hopwire.config.reading import load, parse, parse_routes, read_tree, vault_of
from hopwire.config.sections import (
    Cabinet,
    Config,
    Demo,
    Http,
    Log,
    Mail,
    Metrics,
    Retention,
    Route,
    Sms,
    Store,
    Viber,
    Worker,
)
from hopwire.config.smpp import SmppConnector
from hopwire.config.turbosms import TurboSmsConnector
from hopwire.config.vonage import VonageConnector

__all__ = [
    "KINDS",
    "Cabinet",
    "Config",
    "ConfigError",
    "Connector",
    "Demo",
    "GenericConnector",
    "GmsConnector",
    "Http",
    "HttpConnector",
    "HttpPhpConnector",
    "InfobipConnector",
    "Log",
    "Mail",
    "Metrics",
    "Retention",
    "Route",
    "Setting",
    "SmppConnector",
    "Sms",
    "Store",
    "TurboSmsConnector",
    "Viber",
    "ViberConnector",
    "VonageConnector",
    "Worker",
    "describe",
    "example",
    "load",
    "parse",
    "parse_routes",
    "read_tree",
    "required_secrets",
    "secret_names",
    "settings_of",
    "toml",
    "vault_of",
]
