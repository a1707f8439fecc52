"""The measuring programs measure: every figure is there and makes sense. How large it is, is not asserted."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import kannel, load, machine, measure, page, peers, plots, soak, stock
from bench import report as whole
from bench.figures import BenchError, report
from bench.rig import Rig, configure, seed
from bench.witness import Seen, witness
from hopwire import phone
from hopwire.model import Status
from hopwire.simulators.scenario import OTHERWISE, scenario
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.web import http_php_request as request

ROOT = Path(__file__).parent.parent
FIGURES = {"bench", "rate", "p50_ms", "p99_ms", "cpu_s_per_1000", "peak_rss_mb", "messages"} | {
    "seconds", "connections", "engine", "stored", "fsync",
}  # fmt: skip
MEASURES = ("accept", "ceiling", "deliver", "grow", "mixed", "peers", "receive", "redirect", "soak")


def started(*words: str, folder: Path) -> subprocess.Popen[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=env,
    )


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres" and not os.environ.get("HOPWIRE_TEST_POSTGRES"):
        pytest.skip("HOPWIRE_TEST_POSTGRES names no database")
    name: str = request.param
    return name


def figures(folder: Path, *words: str, progress: int = 0) -> dict[str, Any]:
    """What a run says, which has told so many times how far it is; it leaves nothing behind."""
    run = started(*words, "--json", folder=folder)
    out, err = run.communicate()
    assert (run.returncode, len(err.splitlines())) == (0, progress), err
    assert list(folder.iterdir()) == []
    said: dict[str, Any] = json.loads(out)
    return said


def assert_sane(said: dict[str, Any], engine: str, processes: set[str]) -> None:
    assert set(said) >= FIGURES
    assert said["engine"] == engine
    assert said["rate"] > 0
    assert 0 < said["p50_ms"] <= said["p99_ms"]
    assert set(said["cpu_s_per_1000"]) == set(said["peak_rss_mb"]) >= processes
    assert all(s >= 0 for s in said["cpu_s_per_1000"].values())
    assert all(mb > 1 for mb in said["peak_rss_mb"].values())


GATEWAY = {"hopwire: web 1", "hopwire: worker 1"}


# ---- whole runs


def test_accept_tells_its_figures(engine: str, tmp_path: Path) -> None:
    said = figures(tmp_path, "bench.accept", "--seconds", "1", "--connections", "8", "--engine", engine)
    assert_sane(said, engine, {"bench: load"} | GATEWAY)
    assert said["messages"] >= 8
    assert said["delivering"] is False


def test_accept_can_deliver_meanwhile(tmp_path: Path) -> None:
    said = figures(tmp_path, "bench.accept", "--seconds", "0.5", "--deliver")
    assert_sane(said, "sqlite", {"bench: load", "bench: smsc"} | GATEWAY)
    assert said["delivering"] is True


def test_deliver_waits_until_every_message_is_final(engine: str, tmp_path: Path) -> None:
    said = figures(tmp_path, "bench.deliver", "--messages", "300", "--engine", engine)
    assert_sane(said, engine, {"bench: load", "bench: smsc"} | GATEWAY)
    assert (said["messages"], said["finals"]) == (300, {"Delivered": 300})


def test_redirect_goes_from_viber_to_sms(engine: str, tmp_path: Path) -> None:
    said = figures(tmp_path, "bench.redirect", "--messages", "100", "--engine", engine)
    assert_sane(said, engine, {"bench: load", "bench: smsc", "bench: http far end"} | GATEWAY)
    assert (said["messages"], said["finals"]) == (100, {"Delivered": 100})
    assert said["ways"] == {"viber failed, sms delivered": 100}


def test_receive_asks_for_stored_messages(engine: str, tmp_path: Path) -> None:
    said = figures(tmp_path, "bench.receive", "--seconds", "0.3", "--stored", "50", "--engine", engine)
    assert_sane(said, engine, {"bench: load"} | GATEWAY)
    assert said["stored"] == 50
    assert said["messages"] > 0


def test_mixed_sends_and_asks_at_the_planned_rate(tmp_path: Path) -> None:
    said = figures(tmp_path, "bench.mixed", "--seconds", "1", "--rate", "100", "--connections", "4")
    assert_sane(said, "sqlite", {"bench: load", "bench: smsc"} | GATEWAY)
    assert said["offered"] == 100
    assert said["sent"] + said["asked"] == said["messages"] == 100
    assert 25 <= said["asked"] <= 30  # none before there was a message
    assert (said["errors"], said["finals"]) == (0, {"Delivered": said["sent"]})
    assert said["p99_ms"] <= said["p999_ms"]


def test_grow_does_the_same_over_each_stock(tmp_path: Path) -> None:
    words = "--stored", "0", "30", "--seconds", "0.2", "--messages", "20", "--json"
    run = started("bench.grow", *words, folder=tmp_path)
    out, _ = run.communicate()
    assert (run.returncode, list(tmp_path.iterdir())) == (0, [])
    empty, full = json.loads(out)["rows"]
    assert (empty["stored"], full["stored"]) == (0, 30)
    for row in (empty, full):
        for work in ("accept", "deliver", "receive"):
            assert_sane({"bench": work} | row[work], "sqlite", {"bench: load"} | GATEWAY)
        assert row["deliver"]["finals"] == {"Delivered": 20}
        assert min(row["page_ms"], row["search_ms"]) > 0
        assert row["receive"]["read_mb"] >= 0
        assert all(0 < row[work]["p50_ms"] <= row[work]["p99_ms"] for work in ("one_by_one", "newest"))


def test_the_soak_tells_what_the_gateway_holds(tmp_path: Path) -> None:
    words = "--minutes", "0.02", "--every", "0.4", "--rate", "50"
    said = figures(tmp_path, "bench.soak", *words, progress=3)
    assert_sane(said, "sqlite", {"bench: load", "bench: smsc"} | GATEWAY)
    assert said["finals"] == {"Delivered": said["sent"]}
    assert sum(slice["requests"] for slice in said["slices"]) == said["messages"] == 60
    assert len(said["slices"]) == 3
    assert (len(said["samples"]), said["judged"]) == (3, False)
    for sample in said["samples"]:
        assert sample["rss_mb"] > 1
        assert sample["files"] > 3
        assert sample["wal_mb"] >= 0
        assert set(sample["machine"]) == {"sync_ms", "late_ms"}


def test_a_witness_tells_the_worst_since_it_was_asked_last(tmp_path: Path) -> None:
    with witness(tmp_path) as machine:
        [file] = tmp_path.iterdir()
        assert file.stat().st_size == measure.BLOCK
        while not (first := machine.since_last()).sync_ms:
            pass
        assert first.worse(Seen(0.0, 1e6)) == Seen(first.sync_ms, 1e6)
    assert list(tmp_path.iterdir()) == []


def test_the_page_tells_what_the_machine_did_in_the_slowest_stretch(tmp_path: Path) -> None:
    samples = [
        {"at_s": 60 * n, "rss_mb": 90, "files": 50, "wal_mb": 8, "machine": {"sync_ms": sync, "late_ms": 1}}
        for n, sync in enumerate((3, 470, 4), 1)
    ]
    slices = [{"requests": 9, "p50_ms": 1.0, "p99_ms": p99} for p99 in (7.0, 350.0, 8.0)]
    more = {"offered": 500, "errors": 0, "sent": 6, "every_s": 60, "judged": True, "seconds": 180}
    soaked = line("soak", 500.0, samples=samples, slices=slices, **more)
    text = page.body([soaked], plots.draw([soaked], tmp_path / "page"))
    assert "Of 3 stretches of 60 s, half had a p99 of at most 8.0 ms." in text
    assert "| the slowest, 2.0 min | 90 | 50 | 8.0 | 350.0 | 470.0 | 1.0 |" in text
    assert "(page-soak.png)" in text


@pytest.mark.parametrize(
    ("memory", "verdict"),
    [
        pytest.param([50, 70, 80, *[90] * 6], False, id="it has grown at first"),
        pytest.param([*[90] * 5, 200, *[90] * 3], False, id="for a moment"),
        pytest.param([50, 60, 70, 80, 85, 90, 95, 100, 105], True, id="on and on"),
        pytest.param([50, 100, 200], False, id="too few to say"),
    ],
)
def test_memory_may_grow_in_the_first_third(memory: list[float], verdict: bool) -> None:
    assert soak.grows(memory) is verdict


def test_the_ceiling_is_of_the_server_and_of_the_store(engine: str, tmp_path: Path) -> None:
    said = figures(tmp_path, "bench.ceiling", "--seconds", "0.2", "--batches", "1", "10", "--engine", engine)
    assert set(said) == {"bench", "http", "store", "written", "connections", "seconds", "engine", "fsync"}
    assert set(said["http"]["cpu_s_per_1000"]) == {"bench: load", "bench: constant"}
    assert 0 < said["http"]["p50_ms"] <= said["http"]["p99_ms"]
    assert [row["batch"] for row in said["store"]] == [1, 10]
    assert all(row["rate"] > 0 and row["commit_ms"] > 0 for row in said["store"])
    assert said["written"] > 10


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    run = started("bench.accept", "--seconds", "60", folder=tmp_path)
    while run.poll() is None and not list(tmp_path.glob("*/hopwire.db-wal")):
        time.sleep(0.01)  # until it is under way
    run.send_signal(signal.SIGINT)
    run.communicate()
    assert run.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_postgres_must_be_named(tmp_path: Path) -> None:
    run = started("bench.accept", "--engine", "postgres", "--database", "", folder=tmp_path)
    _, err = run.communicate()
    assert (run.returncode, err) == (
        1,
        "bench: --engine postgres needs --database or HOPWIRE_TEST_POSTGRES\n",
    )


@pytest.mark.parametrize(
    ("name", "option"),
    [("smpp", "--windows"), ("report", "--only"), *((name, "--connections") for name in MEASURES)],
)
def test_the_commands_start_without_being_installed(name: str, option: str, tmp_path: Path) -> None:
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    run = subprocess.run(
        [ROOT / "bench" / name, "--help"], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert option in run.stdout


# ---- beside others


@pytest.mark.skipif(kannel.here() is None, reason="Kannel is not here; bench/peers gets it")
def test_kannel_takes_the_same_load(tmp_path: Path) -> None:
    small = ("--messages", "50", "--connections", "4", "--rate", "50", "--seconds", "1")
    said = figures(tmp_path, "bench.peers", *small)
    assert said["kannel"][0].isdigit()
    rows = {(row["gateway"], row["store"]): row for row in said["rows"]}
    assert set(rows) == {
        ("hopwire", "sqlite, fsync"),
        ("kannel", "memory, no fsync"),
        ("kannel", "spool, no fsync"),
    }
    for (gateway, _), row in rows.items():
        assert row["accepted_rate"] >= row["rate"] > 0
        for latency in (row, row["steady"]):
            assert 0 < latency["p50_ms"] <= latency["p99_ms"]
        ours = GATEWAY if gateway == "hopwire" else {"kannel: bearerbox", "kannel: smsbox"}
        assert {title for title in row["cpu_s_per_1000"] if page.is_gateway(title)} == ours


async def test_without_kannel_ours_is_measured_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kannel, "UNPACKED", tmp_path / "build" / "kannel")
    monkeypatch.setattr(kannel, "SYSTEM_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get either
    how = {"engine": "sqlite", "database": None, "connections": 2}
    args = argparse.Namespace(**how, messages=5, rate=50.0, seconds=0.2)
    said: dict[str, Any] = await peers.peers(args)
    assert (said["kannel"], [row["gateway"] for row in said["rows"]]) == (None, ["hopwire"])
    text = page.body([said], [])
    assert "p50 ms at 50 a second" in text
    assert f"| {page.count(said['rows'][0]['rate'])} |" in text
    assert peers.MISSING in capsys.readouterr().err
    assert list((tmp_path / "build").iterdir()) == []


# ---- the page


def test_the_report_writes_what_its_programs_said(tmp_path: Path) -> None:
    written, words = tmp_path / "page.md", ("--tiny", "--only", "accept", "mixed", "--database", "")
    written.write_text(f"# By hand\n\n{page.BEGIN}\nold\n{page.END}\n\nBy hand, too.\n")
    run = started("bench.report", *words, "--page", str(written), "--note", "A test.", folder=tmp_path)
    out, err = run.communicate()
    assert run.returncode == 0, err
    *lines, said = map(json.loads, out.splitlines())
    assert [line["bench"] for line in lines] == ["machine", "accept", "accept", "mixed", "mixed"]
    assert said["plots"] == ["page-connections.png", "page-rates.png"]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in said["plots"])
    text = written.read_text()
    assert text.startswith("# By hand\n")
    assert text.endswith("By hand, too.\n")
    assert "old" not in text
    assert "| note | A test. |" in text
    for line in lines[1:]:
        assert f"| {page.count(line['rate'])} | {line['p50_ms']:.1f} | {line['p99_ms']:.1f} |" in text
        assert line["command"] in text
    kept = tmp_path / "lines"
    kept.write_text(out)
    again = started("bench.report", "--read", str(kept), "--page", str(written), folder=tmp_path)
    again.communicate()
    assert again.returncode == 0
    assert written.read_text() == text


def line(bench: str, rate: float, **more: Any) -> dict[str, Any]:
    times = {"p50_ms": 1.0, "p99_ms": 2.0, "connections": 64, "engine": "sqlite"}
    return {"bench": bench, "rate": rate, "cpu_s_per_1000": {"hopwire: gateway": 0.1}, **times, **more}


def test_the_page_has_the_middle_one_of_several_runs() -> None:
    runs = [line("accept", rate, command="bench/accept") for rate in (700.0, 100.0, 500.0)]
    text = page.body(runs, [])
    assert "| 500 |" in text
    assert "| 700 |" not in text


def test_of_runs_at_a_given_rate_it_has_the_middle_latency() -> None:
    runs = [
        line("mixed", 100.0, command="bench/mixed", offered=100.0, errors=0, p999_ms=9.0) | {"p99_ms": p99}
        for p99 in (7.0, 3.0, 5.0)
    ]
    assert "| 100 | 100 | 1.0 | 5.0 | 9.0 | 0 |" in page.body(runs, [])


def test_a_figure_is_told_as_a_share_of_the_ceiling() -> None:
    http = {"rate": 3000.0, "cpu_s_per_1000": {"bench: constant": 0.04}}
    store = [{"batch": 64, "rate": 6000.0, "cpu_s_per_1000": 0.02}]
    ceiling = {"bench": "ceiling", "engine": "sqlite", "http": http, "store": store}
    text = page.body([ceiling, line("accept", 500.0), line("receive", 1500.0)], [])
    assert "| SQLite | 500 | 25% |" in text  # of 2,000: both, one after the other
    assert "| SQLite | 1,500 | 50% |" in text


def test_what_failed_is_told_and_has_no_figures() -> None:
    failed = {"bench": "deliver", "command": "bench/deliver --messages 50", "failed": "not done after 60 s"}
    text = page.body([failed], [])
    assert "- `deliver`: not done after 60 s\n" in text
    assert "At a glance" not in text


def test_a_page_without_the_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no part"):
        page.put("# By hand\n", "")


def test_every_program_is_run_as_often_as_its_size_says() -> None:
    once = list(whole.commands(whole.NAMES, whole.TINY, postgres=False))
    thrice = list(whole.commands(whole.NAMES, whole.TINY._replace(times=3), postgres=False))
    assert {name for name, *_ in once} == set(MEASURES)
    assert len([name for name, *_ in thrice if name == "deliver"]) == 3
    assert len([name for name, *_ in thrice if name == "soak"]) == 1


def test_the_machine_is_described_without_its_names(tmp_path: Path) -> None:
    said = machine.described(tmp_path, None, "")
    assert said["bench"] == "machine"
    assert socket.gethostname() not in json.dumps(said)
    assert list(tmp_path.iterdir()) == []


# ---- what is in stock


async def test_what_is_in_stock_is_as_the_gateway_leaves_it(store: Store) -> None:
    config = configure("sqlite:unused", 1)
    account, key = await seed(config, Directory(store.engine))
    sample = await stock.sample(config, store.engine, account, key)
    first, end = await stock.fill(store.engine, sample, account.id, 25)
    statuses = await store.statuses(account.id, range(end))
    assert end - first == 25
    assert [one.status for one in statuses.values()] == [Status.DELIVERED] * (2 + 25)
    assert {what: rows for what, rows in (await Directory(store.engine).fsck()).items() if rows} == {}
    assert await told(store, end - 1) == await told(store, min(statuses))


async def told(store: Store, message_id: int) -> str:
    """Everything that is kept of a message, but for what makes it another one."""
    story = await store.story(message_id)
    assert story is not None
    token = story.delivery.rungs[0].parts[0].provider_id
    assert token == str(stock.FIRST_TOKEN + message_id)
    return (
        str(story)
        .replace(token, "TOKEN")
        .replace(story.recipient, "NUMBER")
        .replace(f"(id={message_id},", "(", 1)
    )


def test_what_differs_between_two_messages_must_be_known() -> None:
    one, other = stock.Gap(11, "380500000013", "501"), stock.Gap(12, "380500000014", "502")
    with pytest.raises(AssertionError, match="column 1"):
        stock.patterns([("x", (11, 5))], [("x", (12, 6))], one, other)


# ---- the load


@pytest.fixture(scope="module")
def call() -> request.Call:
    before, after = load.request("hw_live_key")
    line = (before + load.recipient(0) + after).partition(b"\r\n")[0].decode()
    query = line.removeprefix("GET /api/http.php?").removesuffix(" HTTP/1.1")
    return request.read(query.encode(), b"", b"")


def test_a_request_has_the_twelve_parameters(call: request.Call) -> None:
    assert (call.command, call.credentials) == ("send", request.Key("hw_live_key"))
    assert len(call.fields) == 12
    assert call.fields[b"message"].decode() == load.TEXT


def test_every_request_is_for_another_ordinary_number() -> None:
    numbers = [load.recipient(n).decode() for n in (*range(300), 8_000_000)]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        read = phone.parse(number, "UA")
        assert read is not None
        assert read.digits == number
        assert scenario(number) is OTHERWISE


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param(HEAD + b"id:1", b"id:1", id="whole"),
        pytest.param(HEAD + b"id:", None, id="the body is not all there"),
        pytest.param(HEAD[:-2], None, id="the head is not all there"),
    ],
)
def test_a_reply_is_read_when_it_has_come_whole(data: bytes, body: bytes | None) -> None:
    assert load.body(data) == body


def test_percentiles_are_of_the_nearest_rank() -> None:
    times = [n / 1000 for n in range(1, 102)]
    assert load.percentile_ms(times, 50) == pytest.approx(51)
    assert load.percentile_ms(times, 99) == pytest.approx(100)
    assert load.percentile_ms([], 99) == 0


# ---- what it costs


@pytest.fixture
def child() -> Iterator[int]:
    code = "import setproctitle; setproctitle.setproctitle('bench: child'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_what_this_process_has_started_is_found_by_its_title(child: int) -> None:
    used = measure.descendants()
    assert used[child].title == "bench: child"
    assert used[child].cpu_s >= 0
    assert used[child].peak_mb > 1
    assert os.getpid() not in used


def test_cost_is_what_was_used_between_two_looks() -> None:
    before = {1: measure.Usage("web 1", 1.0, 10.0, 0.5)}
    after = {
        1: measure.Usage("web 1", 3.0, 20.0, 2.5),
        2: measure.Usage("postgres", 0.5, 30.0, 0.25),
        3: measure.Usage("postgres", 0.25, 40.0),
    }
    assert measure.cpu_by_title(before, after) == {"web 1": 2.0, "postgres": 0.75}
    assert measure.peak_by_title(after) == {"web 1": 20.0, "postgres": 40.0}
    assert measure.read_mb(before, after) == 2.25


def test_a_refusal_makes_the_figures_worthless() -> None:
    replies = load.Replies(
        accepted=9, refused=1, refusal="errors:Not enough money", began_at=0, ended_at=1, p50_ms=1, p99_ms=1
    )
    with pytest.raises(BenchError, match="Not enough money"):
        report(Rig.__new__(Rig), argparse.Namespace(connections=1), replies, 1.0, {}, {})
