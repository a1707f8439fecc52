"""What is installed is whole: not only a checkout runs."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from system import environment

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as a wheel brings it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    done = subprocess.run([sys.executable, *build, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_has_every_file_of_the_package(installed: Path) -> None:
    ours = {p.relative_to(ROOT) for p in (ROOT / "hopwire").rglob("*") if p.is_file()}
    wanted = {str(path) for path in ours if "__pycache__" not in path.parts}
    assert wanted == {
        str(p.relative_to(installed)) for p in (installed / "hopwire").rglob("*") if p.is_file()
    }


def test_what_is_installed_makes_a_database(installed: Path, tmp_path: Path) -> None:
    env = environment({"PYTHONPATH": str(installed), "HOPWIRE__STORE__URL": f"sqlite:{tmp_path / 'x.db'}"})
    command = [sys.executable, "-m", "hopwire", "db", "upgrade", "--json"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, '{"before": 0, "after": 7}\n'), done.stderr
