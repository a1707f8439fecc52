"""With money for exactly so many messages, exactly so many are accepted, however many ask at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import run_sql
from system import Gateway, Operator, serve

PAID_FOR = 30
ASKED = 10 * PAID_FOR
CLIENTS = 16
SETTINGS = """
[store]
url = "{url}"
secret_file = "{secret}"
[http]
port = 0
web_processes = {processes}
[log]
level = "warning"
[connectors.away]
kind = "smpp"
host = "127.0.0.1"
port = 1
system_id = "nobody"
password = "nothing"
[[routes]]
channel = "sms"
connector = "away"
"""


@pytest.fixture
def operator(store_url: str, tmp_path: Path) -> Operator:
    return Operator(store_url, tmp_path)


def settings(operator: Operator) -> str:
    url = operator.env["HOPWIRE__STORE__URL"]
    return SETTINGS.format(
        url=url, secret=operator.env["HOPWIRE__STORE__SECRET_FILE"], processes=2 if "postgres" in url else 1
    )


def test_exactly_what_is_paid_for_is_accepted(operator: Operator, store_url: str) -> None:
    operator.does("account", "create", "shop")
    operator.does("price", "set", "380", "0.7")
    operator.does("topup", "shop", str(0.7 * PAID_FOR + 0.69))
    (key,) = operator.does("key", "create", "shop")

    with (
        serve(operator.folder, settings(operator)) as (_, url),
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        gateway = Gateway(url, key["key"])
        requests = [{"from": "Shop", "to": f"38067{n:07}", "message": "a"} for n in range(ASKED)]
        asked = clients.map(lambda request: gateway.ask("send", **request), requests)
        answers = Counter("id" if "id" in reply else reply["errors"] for reply in asked)
        assert answers == {"id": PAID_FOR, "Not enough money": ASKED - PAID_FOR}
        assert gateway.ask("balance") == {"balance": "0.69"}
    assert run_sql(store_url, "SELECT count(*) FROM messages") == [(PAID_FOR,)]
    assert run_sql(store_url, "SELECT reserved FROM accounts") == [(700_000 * PAID_FOR,)]
    assert all(row["faults"] == 0 for row in operator.does("fsck"))
