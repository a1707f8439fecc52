"""Commands in processes that need not import Hopwire again: each is a fork of one process that has.

What a test sees is what `python -m hopwire …` does in a process of its own: its arguments, environment,
folder, standard streams and exit code. Only the time is saved that a command takes to import what it is made
of, three quarters of a second, and to take it to pieces at the end.

Rule: the process that is forked has one thread, and has run no command itself but `version`.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

MOST = 1 << 17  # bytes of an order: arguments and environment


# ---- in the test's process


def run(
    arguments: Sequence[str], stdin: str, env: Mapping[str, str], cwd: Path | None, patience_s: int
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; one that takes longer than `patience_s` is ended by SIGALRM."""
    order = {
        "arguments": arguments,
        "env": dict(env),
        "cwd": str(cwd or Path.cwd()),
        "patience_s": patience_s,
    }
    with ExitStack() as stack:
        files = [stack.enter_context(_in_memory()) for _ in range(3)]
        os.write(files[0], stdin.encode())
        os.lseek(files[0], 0, os.SEEK_SET)
        ours, theirs = os.pipe()
        try:
            socket.send_fds(_forked(), [json.dumps(order).encode()], [*files, theirs])
        finally:
            os.close(theirs)
        with os.fdopen(ours) as reply:
            code = int(reply.read())
        out, err = (_written(file) for file in files[1:])
    return subprocess.CompletedProcess(arguments, code, out, err)


@contextmanager
def _in_memory() -> Iterator[int]:
    file = os.memfd_create("standard stream")
    try:
        yield file
    finally:
        os.close(file)


def _written(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


@cache
def _forked() -> socket.socket:
    """The process that is forked, by the socket on which it takes orders; it ends when that is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # first
    return ours


# ---- in the process that is forked


def serve(control: socket.socket) -> None:
    """Fork for every order; returns in the fork, which then runs the command, or when there are no more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that wait for a command are not waited for
    while True:
        order, files, *_ = socket.recv_fds(control, MOST, 4)
        if not order:
            sys.exit()
        if os.fork() == 0:
            control.close()
            return begin(json.loads(order), files)
        for file in files:
            os.close(file)


def begin(order: dict[str, object], files: list[int]) -> None:
    """Fork once more: one waits and tells how the other ended; returns in the other."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command:
        code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
        os.write(files[3], str(code).encode())
        os._exit(0)
    for n, file in enumerate(files):
        if n < 3:
            os.dup2(file, n)
        os.close(file)
    become(**order)  # type: ignore[arg-type]


def become(arguments: list[str], env: dict[str, str], cwd: str, patience_s: int) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0], sys.argv[1:] = cwd, arguments
    signal.alarm(patience_s)


def finish(main: Callable[[], None]) -> NoReturn:
    """Run the command, and end as the interpreter does, but without a look at every object that there is."""
    code = 0
    try:
        main()
    except SystemExit as stop:
        assert isinstance(stop.code, int | None)
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    from hopwire import app, cli  # noqa: F401

    cli.app(["version"], standalone_mode=False)  # typer imports a part of itself with the first command
    sys.stdout.flush()  # else every fork says it once more
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
    finish(cli.main)
