"""What the codes mean that upstreams give, and those that the gateway itself gives."""

from collections.abc import Mapping

from hopwire.channels import turbosms, viber
from hopwire.smpp import status

OURS = {  # codes that the gateway itself gives
    "lost": "the process that handed it over, or its link, was gone",
    "remembered": "an upstream has said so before; see hopwire number show",
    "no room": "more was claimed than the connector could take",
    "paused": "the connector had refused our configuration just before",
}
NAMES: Mapping[str, Mapping[int, tuple[str, object]]] = {"viber": viber.CODES, "turbosms": turbosms.CODES}
CLASSES = {one.name: one.kind.value for one in status.TABLE.values()}


def meaning(kind: str, code: str) -> str:
    """What a code of this kind of connector, or of our own, means; empty where that is not known.

    A command_status is written by its name: what it is about. A number: what the provider calls it. Providers
    that are not here speak in words.
    """
    if code in OURS:
        return OURS[code]
    if kind == "smpp":
        return CLASSES.get(code, "")
    return {str(number): name for number, (name, _) in NAMES.get(kind, {}).items()}.get(code, "")
