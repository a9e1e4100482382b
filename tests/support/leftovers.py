"""Files and processes of a test session, which the next one clears up where the session was killed.

All that a session makes is under a directory of its own, to which TMPDIR leads; by this variable
its processes are known. As long as the session lives it holds a lock on that directory's `pid`.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import Finalize
from pathlib import Path
from typing import IO, Final

import psutil

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only a directory of a name of its own is made there
_PREFIX: Final = "outbox-tests-"
_WAIT_SECONDS: Final = 10.0


@contextmanager
def own_directory() -> Iterator[Path]:
    """Let this process and what it starts have their temporary files in a directory of their own.

    It is removed when this process ends. First goes what sessions left that were killed.
    """
    # The tests' own directories, which pytest keeps for a while, stay where they are looked for.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    everybodys = Path(os.environ["PYTEST_DEBUG_TEMPROOT"])
    clear_up(everybodys)
    directory = _open_to_others(everybodys)
    owned = (directory / "new").open("w")
    fcntl.flock(owned, fcntl.LOCK_EX)
    # Never without its lock, which goes when the file is closed: at the end of this process.
    (directory / "new").rename(directory / "pid")
    # After multiprocessing has removed its own files, as it does when the interpreter ends.
    Finalize(None, _remove, (directory, owned), exitpriority=-1_000)
    given = os.environ.get("TMPDIR")
    _let_temporary_files_be_in(str(directory))
    try:
        yield directory
    finally:
        _let_temporary_files_be_in(given)
        _end(directory)


def memory() -> Path | None:
    """Return this session's directory in memory, removed with its other one; None without it."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return None
    session = Path(tempfile.gettempdir())
    link = session / "memory"
    if not link.exists():
        link.symlink_to(_open_to_others(MEMORY))
    return link.resolve()


def clear_up(everybodys: Path) -> None:
    """End and remove what is left there of sessions of ours that live no more."""
    for directory in everybodys.glob(f"{_PREFIX}*"):
        with suppress(OSError), (directory / "pid").open() as owned:
            if directory.stat().st_uid != os.getuid():
                continue
            fcntl.flock(owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end(directory)
            _remove(directory, owned)


def _end(directory: Path) -> None:
    """End what still runs of this session; workers that were interrupted leave something."""
    left = [process for process in psutil.process_iter() if _belongs_to(process, directory)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=_WAIT_SECONDS)


def _belongs_to(process: psutil.Process, directory: Path) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        files = process.environ().get("TMPDIR", "")
    except (psutil.Error, OSError):  # of somebody else, or gone
        return False
    # A session that it started has its own inside.
    return Path(files).is_relative_to(directory)


def _open_to_others(parent: Path) -> Path:
    """Make a directory that PostgreSQL, which never runs as root, may enter."""
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    directory.chmod(0o711)
    return directory


def _remove(directory: Path, owned: IO[str]) -> None:
    with owned, suppress(OSError):
        shutil.rmtree((directory / "memory").resolve(strict=True), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


def _let_temporary_files_be_in(directory: str | None) -> None:
    if directory is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = directory
    # Forget what was found before.
    tempfile.tempdir = None
