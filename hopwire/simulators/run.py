"""All simulators in one process.

Rule: the sockets come bound and listening, so a port is known before anything starts and nothing races.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from hopwire.simulators.gms import GmsSimulator
from hopwire.simulators.infobip import InfobipSimulator
from hopwire.simulators.messenger import Messenger
from hopwire.simulators.phone import PhoneServer
from hopwire.simulators.record import Record
from hopwire.simulators.smsc import SmscSimulator
from hopwire.simulators.turbosms import TurboSmsSimulator
from hopwire.simulators.viber import ViberSimulator
from hopwire.simulators.vonage import VonageSimulator

PROVIDERS: dict[str, type[Messenger]] = {
    "viber": ViberSimulator,
    "infobip": InfobipSimulator,
    "turbosms": TurboSmsSimulator,
    "gms": GmsSimulator,
    "vonage": VonageSimulator,
}


async def run_simulators(
    smsc_sock: socket.socket,
    viber_sock: socket.socket,
    phone_sock: socket.socket,
    *,
    callback_url: str,
    gateway_url: str,
    demo_token: str,
    smsc_password: str,
    api_key: str,
    provider: str = "viber",
    services: Mapping[int, str] | None = None,
    delay_s: float = 0.2,
    viber_speed: float = 1.0,
) -> None:
    """Serve an SMSC, a Viber endpoint and the phone page until cancelled.

    `provider` is whose API Viber is reached by; it takes `smsc_password`, too, and reports to `callback_url`.
    The page asks `gateway_url` for statuses with `demo_token` and prints `api_key` in its example. `services`
    gives sender names to Viber service ids, `delay_s` is how long a callback or a receipt takes,
    `viber_speed` how many seconds of a Viber TTL pass in one.
    """
    record = Record()
    viber = PROVIDERS[provider](
        record,
        callback_url,
        callback_delay_s=delay_s,
        services=services,
        speed=viber_speed,
        password=smsc_password,
    )
    smsc = SmscSimulator(record, smsc_password, on_submit=viber.redirected, receipt_delay_s=delay_s)
    phone = PhoneServer(record, gateway_url, demo_token, api_key)
    async with (
        serve_http(viber.app, viber_sock),
        smsc.serve(smsc_sock),
        serve_http(phone.app, phone_sock),
    ):
        await asyncio.Event().wait()


@asynccontextmanager
async def serve_http(app: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    """Serve the application on the socket; on leaving, end what still runs and close it."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()
