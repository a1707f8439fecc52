"""Acceptance: check, plan, price, reserve, keep, or say why not.

Rule: an id leaves only after the message, its reservation and its first due time are on disk.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from hopwire import choice, limits, phone, routing, sms
from hopwire.contents import Fits
from hopwire.delivery import plan_delivery
from hopwire.errors import (
    ApiError,
    DestinationNotAllowed,
    PremiumNotAllowed,
    PriceTooHigh,
    SenderNotRegistered,
    TextTooLong,
    ViberSenderNotRegistered,
)
from hopwire.model import Account, Price, SendRequest, SmsContent, Step, ViberButton, ViberImage
from hopwire.phone import Number
from hopwire.prices import PriceLists
from hopwire.regularly import regularly
from hopwire.routing import Names, Network, Tables, Times
from hopwire.store import Accepted, Order, Standing, Store
from hopwire.store.batch import Batch
from hopwire.store.connectors import FRESH_MS, Connectors
from hopwire.store.directory import Directory
from hopwire.store.prices import PriceBook
from hopwire.store.routes import Routes
from hopwire.store.senders import Allowed, Senders
from hopwire.store.templates import TemplateBook
from hopwire.templates import Templates

WATCH_S = 0.5  # how soon a revoked key, a new price or a closed account is known everywhere

CheckImage = Callable[[str], Awaitable[None]]
"""Looks at the picture behind a link; raises the ApiError that says what is wrong with it."""


class Quote(NamedTuple):
    """What would become of a request."""

    steps: tuple[Step, ...]  # none: there is no route
    parts: int  # of the SMS, as the client would be told
    refusal: ApiError | None = None  # why it would not be accepted at this moment

    @property
    def price(self) -> int:
        """The most that it may cost, in millionths."""
        return sum(step.price for step in self.steps)


def now_ms() -> int:
    """The wall clock in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Admission:
    """What every API of the gateway calls to accept messages and to answer for them."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        network: Network,
        times: Times,
        check_image: CheckImage | None = None,
    ) -> None:
        self._store = store
        self._directory = directory
        self._times = times
        self._check_image = check_image
        self._templates = TemplateBook(store.engine)
        self._price_book = PriceBook(store.engine)
        self._senders = Senders(store.engine)
        self._routes = Routes(store.engine)
        self._connectors = Connectors(store.engine)
        self._network = network
        self._choosing = False  # whether some route has several connectors
        self._prices: list[Price] = []
        self._tables = Tables({})
        self._allowed = Allowed()
        self._version: int | None = None
        self._admit: Batch[Order, Accepted | ApiError] = Batch(store.admit, store.GROUP)
        self._standings: Batch[tuple[int, int], Standing | None] = Batch(store.standings)
        self.generation = 0  # rises whenever the directory has changed, for those who remember parts of it

    async def refresh(self) -> None:
        """Read prices, routes, templates and sender names again if the directory has changed."""
        version = await self._directory.version()
        if version != self._version:
            self._prices = await self._price_book.all()
            templates = Templates(await self._templates.all())
            prices = PriceLists(self._prices, now_ms())
            routes = [*self._network.routes, *await self._routes.all()]
            roads = routing.roads(routes, self._network.carriers)
            self._choosing = any(
                len(road.carriers) > 1 for some in roads.values() for _, road in some.items()
            )
            self._tables = self._tables._replace(roads=roads, prices=prices, templates=templates)
            self._allowed = Allowed(await self._senders.all())
            self._version = version
            self.generation += 1
        if self._choosing:
            told = await self._connectors.states(now_ms() - FRESH_MS)
            health = choice.best((one.connector, one.state) for one in told)
            self._tables = self._tables._replace(health=health)

    async def watch(self) -> None:
        """Keep what is remembered of the directory fresh, until cancelled."""
        await regularly(self.refresh, WATCH_S, "the directory could not be read")

    async def admit(
        self,
        account: Account,
        request: SendRequest,
        now: int,
        key_id: int = 0,
        client_key: str = "",
        row: tuple[int, int] | None = None,
    ) -> Accepted:
        """Accept one message; its id and its number of SMS parts (1 when no SMS can be sent).

        `key_id` is the API key by which it was asked for, 0 without one. A request that comes again with the
        `client_key` that the client gave to it is answered as before, whatever has changed meanwhile. Of one
        `row`, which is the mailing's id and the row's number, comes one message at most.
        Raises the ApiError of the first check that fails; then nothing is kept.
        """
        if client_key and (known := await self.known(account, request, client_key, now)):
            return known
        self._check(account, request)
        await self._check_picture(request)
        return _accepted(await self._admit(self._order(account, request, now, key_id, client_key, row)))

    def start(
        self, account: Account, request: SendRequest, now: int, key_id: int = 0, client_key: str = ""
    ) -> "asyncio.Future[Accepted | ApiError]":
        """`admit`, begun at once; where nothing has to be asked before the commit, it costs no task."""
        if client_key or (self._check_image and _picture(request)):
            return asyncio.ensure_future(self.admit(account, request, now, key_id, client_key))
        self._check(account, request)
        return self._admit(self._order(account, request, now, key_id, client_key))

    async def quote(self, account: Account, request: SendRequest, now: int) -> Quote:
        """What the message would be and may cost; raises what `admit` would raise. Nothing is kept."""
        (found,) = await self.quotes(account, [request], now)
        if isinstance(found, ApiError):
            raise found
        if found.refusal:
            raise found.refusal
        return found

    async def quotes(
        self, account: Account, requests: Iterable[SendRequest], now: int
    ) -> list[Quote | ApiError]:
        """Of each request what it would be, or what is wrong with it.

        What the store would refuse is told beside it: for want of money, by a limit, by the stop list.
        """
        orders = [await self._planned(account, one, now) for one in requests]
        answers = iter(await self._store.foresee([one for one in orders if isinstance(one, Order)]))
        return [one if isinstance(one, ApiError) else _quote(one, next(answers)) for one in orders]

    async def _planned(self, account: Account, request: SendRequest, now: int) -> Order | ApiError:
        try:
            self._check(account, request)
            await self._check_picture(request)
            return self._order(account, request, now)
        except ApiError as exc:
            return exc

    def _check(self, account: Account, request: SendRequest) -> None:
        self._check_senders(account, request)
        _check_destination(account, request)

    def _order(
        self,
        account: Account,
        request: SendRequest,
        now: int,
        key_id: int = 0,
        client_key: str = "",
        row: tuple[int, int] | None = None,
    ) -> Order:
        """Plan it, for the next commit to keep."""
        tables = self._tables_at(now)
        steps = routing.plan(request, account, tables, self._times, now, self._names(account, request))
        steps = _quietly(account, steps)
        _check_price(account, steps)
        due_at = request.send_at if request.send_at is not None else now
        parts = routing.sms_parts(request, steps, tables, now)
        return Order(account, request, plan_delivery(steps, due_at), now, key_id, client_key, parts, row)

    async def known(self, account: Account, request: SendRequest, key: str, now: int) -> Accepted | None:
        """What was answered to the client's key; raises `ClientIdReused`."""
        known = await self._store.answered(account.id, key, limits.fingerprint(request), now)
        return None if known is None else _accepted(known)

    def _tables_at(self, now: int) -> Tables:
        """What plans are made of, with the prices that are valid."""
        if now >= self._tables.prices.until:
            self._tables = self._tables._replace(prices=PriceLists(self._prices, now))
        return self._tables

    def parts(self, digits: str, content: SmsContent, country: str = "") -> int:
        """Into how many SMS parts the content falls on its way to this number."""
        return routing.parts(self._tables, digits, content, country, now_ms())

    def explain(self, content: SmsContent, number: Number) -> sms.Explained:
        """How the content is sent to this number by SMS."""
        return sms.explain(content, routing.writing(self._tables, number.digits, number.country, now_ms()))

    def fits(self, most: int) -> Fits:
        """What raises `TextTooLong` for contents of more than so many SMS parts."""

        def check(content: SmsContent, number: Number) -> None:
            fits = sms.surely_fits(content, most)
            if not fits and self.parts(number.digits, content, number.country) > most:
                raise TextTooLong

        return check

    def _check_senders(self, account: Account, request: SendRequest) -> None:
        if account.any_sender:
            return
        names = self._names(account, request)
        if request.sms is not None and not self._is_of_use(names("sms"), "sms", request):
            raise SenderNotRegistered
        if request.viber is not None and not self._is_of_use(names("viber"), "viber", request):
            raise ViberSenderNotRegistered

    def _names(self, account: Account, request: SendRequest) -> Names:
        """Over which connectors the sender's names may be used."""
        if account.any_sender:
            return routing.anywhere
        names = {"sms": request.sms_sender, "viber": request.viber_sender}
        return lambda channel: self._allowed.connectors(account.id, names[channel], channel)

    def _is_of_use(self, allowed: frozenset[str] | None, channel: str, request: SendRequest) -> bool:
        """Whether a name may be used over some connector of the route, or over any where there is none."""
        road = routing.road(self._tables, channel, request.recipient, request.country)
        return allowed is None or bool(allowed if road is None else allowed & road.carriers.keys())

    async def _check_picture(self, request: SendRequest) -> None:
        if self._check_image and (link := _picture(request)):
            await self._check_image(link)

    def price(self, account: Account, digits: str, country: str, now: int) -> int:
        """One SMS part to this number, in millionths; 0 where there is no route."""
        return routing.price_of_part(self._tables_at(now), account, digits, country) or 0

    def prices(self, account: Account, digits: str, country: str, now: int) -> dict[tuple[str, str], int]:
        """Channel and type -> what a part to this number costs, in millionths, where there is a route."""
        return routing.prices(self._tables_at(now), account, digits, country)

    async def is_crowded(self, account: Account, request: SendRequest, most: int, now: int) -> bool:
        """Whether so many messages are due where this one would go first."""
        (found,) = await self.quotes(account, [request], now)
        steps = () if isinstance(found, ApiError) else found.steps
        return bool(steps) and await self._store.due_on(steps[0].connector, most, now) >= most

    def standing(self, account: Account, message_id: int) -> "asyncio.Future[Standing | None]":
        """How a message of the account stands; None for another's."""
        return self._standings((account.id, message_id))

    async def delete(self, account: Account, message_id: int, now: int) -> Standing | None:
        """Delete a scheduled message; how it stands after that."""
        return (await self._store.delete(account.id, [message_id], now)).get(message_id)

    async def spendable(self, account: Account) -> int:
        """What the account can still spend, in millionths."""
        return await self._store.spendable(account.id)


def _quote(order: Order, answer: Accepted | ApiError) -> Quote:
    steps = tuple(rung.plan for rung in order.delivery.rungs)
    return Quote(steps, order.parts, answer if isinstance(answer, ApiError) else None)


def _accepted(answer: Accepted | ApiError) -> Accepted:
    if isinstance(answer, ApiError):
        raise answer
    return answer


def _picture(request: SendRequest) -> str | None:
    """The link to the picture that it is sent with."""
    return request.viber.image if isinstance(request.viber, ViberImage | ViberButton) else None


def _check_destination(account: Account, request: SendRequest) -> None:
    if not limits.allowed(account.limits, account.home_country, request.recipient, request.country):
        raise DestinationNotAllowed
    if not account.limits.premium and phone.costly(request.recipient, request.country):
        raise PremiumNotAllowed


def _check_price(account: Account, steps: Sequence[Step]) -> None:
    most = account.limits.max_price
    if most is not None and sum(step.price for step in steps) > most:
        raise PriceTooHigh


def _quietly(account: Account, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps, as they begin at the times at which the account may disturb."""
    quiet = limits.quiet(account)
    return tuple(replace(step, quiet=quiet) for step in steps) if quiet else steps
