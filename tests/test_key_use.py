"""When keys were used and seen in a URL: told to the minute, and never at a request's expense."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest
from conftest import NOW, open_account
from gateway import Gateway, running
from system import PATIENCE_S

from hopwire.credentials import KeyUse, use
from hopwire.credentials.use import MINUTE_MS
from hopwire.errors import Unavailable
from hopwire.model import ApiKey
from hopwire.store.directory import Directory
from hopwire.web.http_php_request import Key, read

API = "/api/http.php"
Moments = Mapping[int, list[int]]


@pytest.fixture
async def keys(directory: Directory) -> list[int]:
    account = await open_account(directory)
    return [await directory.create_key(account.id, f"digest {i}", "", "", NOW) for i in range(3)]


async def seen(directory: Directory) -> list[tuple[int | None, int | None]]:
    return [(key.used_at, key.in_url_at) for key in await directory.keys()]


async def test_the_last_minute_of_each_key_is_written_at_once(directory: Directory, keys: list[int]) -> None:
    first, second, third = keys
    version = await directory.version()
    use = KeyUse(directory)
    minute = NOW - NOW % MINUTE_MS
    use.used(first, minute + 1)
    use.used(second, minute + MINUTE_MS + 2)
    use.used(first, minute + MINUTE_MS * 3)
    use.in_url(third, minute + 59_999)
    assert await seen(directory) == [(None, None)] * 3
    await use.write()
    assert await seen(directory) == [
        (minute + MINUTE_MS * 3, None),
        (minute + MINUTE_MS, None),
        (None, minute),
    ]
    use.used(first, minute)  # by a clock that is behind, or in another process
    await use.write()
    assert (await seen(directory))[0] == (minute + MINUTE_MS * 3, None)
    assert await directory.version() == version  # nobody need read anything again for it


class Away(Directory):
    """Cannot write."""

    async def keys_seen(self, used: object, in_url: object) -> None:
        raise Unavailable


async def test_what_could_not_be_written_is_written_later(directory: Directory, keys: list[int]) -> None:
    use = KeyUse(Away(directory.engine))
    use.used(keys[0], NOW)
    use.in_url(keys[0], NOW)
    with pytest.raises(Unavailable):
        await use.write()
    use.used(keys[1], NOW + MINUTE_MS)
    use._directory = directory
    await use.write()
    minute = NOW - NOW % MINUTE_MS
    assert await seen(directory) == [(minute, minute), (minute + MINUTE_MS, None), (None, None)]


async def test_nothing_is_written_when_nothing_was_seen(directory: Directory) -> None:
    await KeyUse(Away(directory.engine)).write()


async def use_keys(gateway: Gateway) -> dict[str, int]:
    """In a body, in a URL, in a URL that it is not for, and not at all; their ids by name."""
    body, url, post_only, idle = [await gateway.new_key(1, post_only=number == 2) for number in range(4)]
    await gateway.post(API, urlencode({"key": body, "command": "balance"}).encode())
    await gateway.post(f"{API}?key={url}", urlencode({"key": body, "command": "balance"}).encode())
    await gateway.get(f"{API}?key={url}&command=balance")
    await gateway.get(f"{API}?key={post_only}&command=balance")
    known = {key.prefix: key.id for key in await gateway.directory.keys()}
    names = {"body": body, "url": url, "post_only": post_only, "idle": idle}
    return {name: known[key[:12]] for name, key in names.items()}


def told(keys: list[ApiKey], ids: dict[str, int]) -> dict[str, tuple[bool, bool]]:
    by_id = {key.id: key for key in keys}
    return {
        name: (by_id[one].used_at is not None, by_id[one].in_url_at is not None) for name, one in ids.items()
    }


SEEN = {"body": (True, False), "url": (True, True), "post_only": (False, True), "idle": (False, False)}


async def test_a_gateway_writes_it_when_it_stops(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        ids = await use_keys(gateway)
        assert gateway.rows("SELECT DISTINCT used_at, in_url_at FROM api_keys") == [(None, None)]
    rows = gateway.rows("SELECT id, used_at IS NOT NULL, in_url_at IS NOT NULL FROM api_keys")
    found = {one: (bool(used), bool(in_url)) for one, used, in_url in rows}
    assert {name: found[one] for name, one in ids.items()} == SEEN


async def test_a_gateway_writes_it_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use, "WRITE_S", 0.01)
    written = asyncio.Event()
    keys_seen = Directory.keys_seen

    async def noted(self: Directory, used: Moments, in_url: Moments) -> None:
        await keys_seen(self, used, in_url)
        written.set()

    monkeypatch.setattr(Directory, "keys_seen", noted)
    async with running(tmp_path) as gateway:
        ids = await use_keys(gateway)
        while told(await gateway.directory.keys(), ids) != SEEN:
            written.clear()
            await asyncio.wait_for(written.wait(), PATIENCE_S)


async def test_a_write_that_fails_is_tried_again(
    directory: Directory, keys: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use, "WRITE_S", 0.001)
    failures = [Unavailable(), RuntimeError("a bug")]
    written = asyncio.Event()

    class Troubled(Directory):
        async def keys_seen(self, used: Moments, in_url: Moments) -> None:
            if failures:
                raise failures.pop()
            await super().keys_seen(used, in_url)
            written.set()

    key_use = KeyUse(Troubled(directory.engine))
    key_use.used(keys[0], NOW)
    watch = asyncio.ensure_future(key_use.watch())
    await asyncio.wait_for(written.wait(), PATIENCE_S)
    watch.cancel()
    assert (await seen(directory))[0] == (NOW - NOW % MINUTE_MS, None)


@pytest.mark.parametrize(
    ("query", "body", "in_url"),
    [
        pytest.param(b"key=a", b"", True, id="in the URL"),
        pytest.param(b"", b"key=a", False, id="in the body"),
        pytest.param(b"key=a", b"key=a", True, id="in both"),
        pytest.param(b"key=b", b"key=a", False, id="another one in the URL, which counts for nothing"),
        pytest.param(b"key=", b"key=a", False, id="an empty one in the URL"),
        pytest.param(b"pass=x&login=y", b"key=a", False, id="a password in the URL"),
        pytest.param(b"key=%61", b"", True, id="quoted"),
        pytest.param(b"key=YQ,,&command=YmFsYW5jZQ,,", b"", True, id="in the encoded dialect"),
    ],
)
def test_a_key_is_known_to_have_stood_in_the_url(query: bytes, body: bytes, in_url: bool) -> None:
    asked = read(query, b"", body)
    assert (asked.credentials, asked.in_url) == (Key("a"), in_url)
