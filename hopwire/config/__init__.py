"""The settings: `hopwire.toml`, and the environment over it.

Rule 1: a setting explains itself; the manual and the example file are printed from the classes here.
Rule 2: what is wrong is named with its key, its value and what is allowed; a secret's value is never shown.
Rule 3: nobody else reads the settings' part of the environment.

`HOPWIRE__SECTION__KEY=value` sets one key; `HOPWIRE__SECTION__KEY_FILE=path` takes the value from a file.
"""

from hopwire.config.connectors import KINDS, Connector, SmppConnector, ViberConnector
from hopwire.config.explain import Setting, describe, example, toml
from hopwire.config.fields import ConfigError
from hopwire.config.reading import load, parse
from hopwire.config.sections import Config, Demo, Http, Log, Metrics, Route, Sms, Store, Viber, Worker

__all__ = [
    "KINDS",
    "Config",
    "ConfigError",
    "Connector",
    "Demo",
    "Http",
    "Log",
    "Metrics",
    "Route",
    "Setting",
    "SmppConnector",
    "Sms",
    "Store",
    "Viber",
    "ViberConnector",
    "Worker",
    "describe",
    "example",
    "load",
    "parse",
    "toml",
]
