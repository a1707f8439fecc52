"""What the two engines have in common: a transaction is a plain synchronous function of a `Tx`."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Protocol, TypeVar

Row = tuple[Any, ...]
T = TypeVar("T")


class Tx(Protocol):
    """An open transaction; statements are called by their name in queries.sql."""

    @property
    def after(self) -> list[Callable[[], None]]:
        """What is called when this has been committed, on the loop; who waits for it may hear first."""

    @property
    def remembered(self) -> dict[int, Any] | None:
        """Deliveries as they were kept last, by id, while no other process writes; None: one may at any time.

        Whoever changes deliveries otherwise than by a `Turn` sees to it that they are not among these.
        """

    def all(self, name: str, /, **params: Any) -> list[Row]:
        """Every row that the statement returns."""

    def ahead(self, name: str, /, **params: Any) -> list[Row]:
        """As `all`, but the rows are there only when those of the next `all` are: one round trip for both."""

    def run(self, name: str, /, **params: Any) -> int:
        """Run a statement; how many rows it changed."""

    def many(self, name: str, rows: Sequence[Row]) -> None:
        """Run a statement once for each row of parameters, given in the order the statement names them."""

    def script(self, statements: Iterable[str]) -> None:
        """Run statements that have no name: the schema and migrations."""

    def wake(self, connectors: Iterable[str], now: int) -> None:
        """When this commits, tell the workers, here and elsewhere, that something is due on these now."""

    def due_by(self, connector: str, now: int) -> int:
        """Now, or when something was due there last that this commit has made due: it may have come since."""

    def settle(self, connector: str) -> None:
        """What was due on the connector by then is taken: nobody here need be told of it."""


class Engine(Protocol):
    """A database that can be written. Both verbs raise `errors.Unavailable` when it cannot be used now."""

    async def write(self, work: Callable[[Tx], T], *, at_leisure: bool = False, last: bool = False) -> T:
        """Run `work` in one transaction; its commit is on disk on return. It may run more than once.

        `at_leisure`: nobody is in a hurry for it, and it may wait a moment for others like it.
        `last`: it comes behind all that shares its commit.
        """

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work`, which only reads."""

    def listen(self, on_wake: Callable[[Collection[str]], None]) -> Awaitable[None]:
        """Call back whenever a `Tx.wake` has been committed, with its connectors; runs until cancelled.

        With none, when it is not known on which.
        """

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
