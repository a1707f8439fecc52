"""Looks for bytes and deeds that break an SMPP session: `python tests/fuzz/session.py --seconds 600`.

With atheris installed it follows the coverage of the code, else hypothesis makes the inputs. An input that
breaks a rule of `play.py` is written to the present directory, and the exit is not 0. Give it to
`--replay FILE` to see it again; `--corpus DIR` keeps the inputs that reached something new.
"""

import argparse
import hashlib
import importlib
import importlib.util
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
SEEDS = Path(__file__).parent / "corpus"
MAX_LENGTH = 2000  # octets of a script
BATCH = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="where to keep inputs; without it they are forgotten")
    parser.add_argument("--replay", type=Path, help="one input to run")
    asked = parser.parse_args()
    if asked.replay:
        print(*_player()(asked.replay.read_bytes()), sep="\n")
        return
    with tempfile.TemporaryDirectory() as forgotten:
        corpus = asked.corpus or Path(forgotten)
        corpus.mkdir(parents=True, exist_ok=True)
        if importlib.util.find_spec("atheris"):
            _follow_coverage(asked.seconds, corpus)
        else:
            _try_at_random(asked.seconds, corpus)


def _player() -> Callable[[bytes], list[object]]:
    return importlib.import_module("fuzz.play").play  # type: ignore[no-any-return]


def _follow_coverage(seconds: int, corpus: Path) -> None:
    """libFuzzer prints its progress, saves what fails as `crash-…`, and ends the process."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["hopwire"]):
        play = _player()
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", "-timeout=10", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus), str(SEEDS)], lambda data: play(data) and None)
    atheris.Fuzz()


def _try_at_random(seconds: int, corpus: Path) -> None:
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    play = _player()
    seen: Counter[str] = Counter()
    tried = 0
    latest = b""
    known = [path.read_bytes() for folder in (SEEDS, corpus) for path in sorted(folder.iterdir())]
    spliced = st.builds(
        lambda one, at, middle, other: one[:at] + middle + other[at:],
        st.sampled_from(known),
        st.integers(0, MAX_LENGTH),
        st.binary(max_size=20),
        st.sampled_from(known),
    )

    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(spliced | st.binary(max_size=MAX_LENGTH))
    def batch(script: bytes) -> None:
        nonlocal latest, tried
        latest = script
        tried += 1
        events = play(script)
        seen.update(type(event).__name__ for event in events)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            batch()
        except Exception:
            traceback.print_exc()
            failure = Path(f"crash-{hashlib.sha1(latest, usedforsecurity=False).hexdigest()}")
            failure.write_bytes(latest)
            sys.exit(f"saved as {failure}")
        print(f"{tried} inputs, {max(0, end - time.monotonic()):.0f} s to go; {dict(seen)}", flush=True)


if __name__ == "__main__":
    main()
