"""The house: an import goes down, held over the import statements, and no file is too long."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "hopwire"
ROOMS = ("hopwire", "bench", "tests", "scripts")
LONGEST = 500  # lines
FLOORS = [
    {"errors", "model", "metrics", "prefixes", "hours", "files", "privacy", "sentence"},
    {"vault", "prices", "rung", "events"},
    {"config"},
    {"phone", "wap", "money", "tables", "smpp", "translit", "images", "addresses", "via"}
    | {"choice", "failover", "pulse", "links", "lists"},
    # the cores stand on one another, too: a plan counts parts, and a part may be a WAP push
    {"sms", "delivery", "limits", "access", "contents", "minutes", "tariffs", "templates"},
    {"routing", "inbox", "timeline", "mailing"},
    {"tallies"},
    {"frames"},
    {"store", "channels", "simulators", "logs", "fetch", "mail", "regularly"},
    {"admission", "worker", "webhooks", "credentials", "accounts", "routes", "postman"},
    {"mailings"},  # each row goes the way of a request
    {"web", "cli"},
    {"app"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
CORES = FLOORS[3] | FLOORS[4] | FLOORS[5] | FLOORS[6]
CORES_SHUN = {"asyncio", "time", "socket", "random", "secrets", "threading"}


def test_every_module_has_a_floor() -> None:
    modules = {room(path) for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem[0] != "_"}
    assert modules <= set(FLOOR)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_go_down(path: Path) -> None:
    importer = room(path)
    for imported in imports(path):
        package, _, rest = imported.partition(".")
        target = rest.partition(".")[0]
        if package == "hopwire" and target in FLOOR and importer in FLOOR and target != importer:
            assert FLOOR[target] < FLOOR[importer], f"imports {imported}"
        assert importer not in CORES or package not in CORES_SHUN, f"a core imports {imported}"


def test_a_file_has_at_most_so_many_lines() -> None:
    files = [path for one in ROOMS for path in (ROOT / one).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): path.read_text("utf-8").count("\n") for path in files}
    assert len(lines) > 100
    assert {path: n for path, n in lines.items() if n > LONGEST} == {}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Every module named by an import statement, wherever it stands; `from a import b` may mean a.b."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{name.name}" for name in node.names)
