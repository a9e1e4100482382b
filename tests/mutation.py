"""Change the code of modules here and there: does a test notice? `python -m tests.mutation`.

The changes are mutmut's. Tests are collected once; each mutant then runs in a fork of that process,
with those tests alone that reach the changed function, until the first one fails. Left out are
changes to the words of a text with a space in it: messages, which people judge by reading them.
"""

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import Pipe
from types import CodeType, ModuleType
from typing import Any, Final, TypeVar

import pytest
from _pytest.runner import runtestprotocol
from _pytest.warnings import catch_warnings_for_item
from mutmut.mutation import trampoline
from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents

from tests.support.repository import ROOT

SECONDS: Final = 60
FIRST_SECONDS: Final = 5
"""For each test, where it runs without a mutant beside others on a busy machine."""
# Where a slip loses data: a module or a package, and the tests near it.
NEAREST: Final = {
    "relay.daemon.kafka.delivery": [
        "tests/daemon/kafka/test_delivery.py",
        "tests/daemon/kafka/test_trial.py",
        "tests/daemon/kafka/test_unproven.py",
    ],
    "relay.daemon.kafka.error_scope": ["tests/daemon/kafka/test_error_scope.py"],
    "relay.daemon.kafka.holds": ["tests/daemon/kafka/test_holds.py"],
    "relay.daemon.kafka.routing": [
        "tests/daemon/kafka/test_delivery.py",
        "tests/daemon/kafka/test_routing.py",
        "tests/daemon/kafka/test_unproven.py",
    ],
    "relay.daemon.kafka.suspects": ["tests/daemon/kafka/test_trial.py"],
    "relay.daemon.kafka.trial": ["tests/daemon/kafka/test_trial.py"],
    "relay.daemon.kafka.unproven": ["tests/daemon/kafka/test_unproven.py"],
    "relay.daemon.postgres.lease": [
        "tests/daemon/postgres/test_claims.py",
        "tests/daemon/postgres/test_crash_isolation.py",
        "tests/daemon/postgres/test_crash_isolation_steps.py",
        "tests/daemon/postgres/test_small_leases.py",
        "tests/daemon/postgres/test_unsettled.py",
        "tests/daemon/postgres/test_unsettled_of_others.py",
    ],
    "relay.daemon.postgres.low_watermark": [
        "tests/daemon/postgres/test_low_watermark.py",
        "tests/daemon/postgres/test_resume_position.py",
        "tests/daemon/postgres/test_small_leases.py",
    ],
    "relay.daemon.postgres.unsettled": ["tests/daemon/postgres/test_unsettled.py"],
    "relay.service.api.access": [
        "tests/service/api/access",
        "tests/service/api/test_authorisation.py",
    ],
    "relay.service.redaction": ["tests/service/redaction"],
    "relay.service.sqlalchemy": ["tests/service/sqlalchemy", "tests/service/test_targets.py"],
}
_UNMUTATED: Final = "stats"

T = TypeVar("T")
Reached = dict[str, set[str]]
"""Functions that each test reaches, by the test's id."""


class Mutated(importlib.abc.MetaPathFinder):
    """Imports these modules with all of their mutants, none of which is active at first."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.files: dict[str, MutatedFile] = {}
        self._modules = set(modules)

    def import_all(self) -> None:
        """Import what the tests import only when they run: forks would not tell of it."""
        for module in sorted(self._modules):
            importlib.import_module(module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._modules:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin, self.files)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, files: dict[str, MutatedFile]) -> None:
        super().__init__(name, path)
        self._files = files

    def get_code(self, fullname: str) -> CodeType:
        # Never from a cache, nor into one.
        source = self.get_data(self.path).decode()
        mutated = self._files[fullname] = mutate_file_contents(self.path, source)
        return self.source_to_code(mutated.code, self.path)


class Mutation:
    """A plugin of pytest that runs the tests once for each mutant of the sample."""

    def __init__(self, mutated: Mutated, sample: int, seed: int) -> None:
        self._mutated, self._sample, self._seed = mutated, sample, seed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        # Started once; each fork makes its databases there.
        fixtures: Any = session.config.pluginmanager.get_plugin("tests.support.session")
        session.config.stash[fixtures.SERVERS].template()
        self._mutated.import_all()
        seconds = SECONDS + FIRST_SECONDS * len(session.items)
        late: Reached | str = f"not all tests were done in {seconds} s"
        reached = _in_a_fork(partial(_reached_by, session), late, seconds)
        assert isinstance(reached, dict), f"without any mutant: {reached}"
        survivors, unreached, tried = [], [], 0
        for name, change in self._chosen():
            tried += 1
            function = name.rpartition("__mutmut_")[0]
            items = [item for item in session.items if function in reached[item.nodeid]]
            if not items:
                unreached.append(change)
            elif _in_a_fork(partial(_passes, name, items), default=False):
                survivors.append(change)
        for kind, changes in (("UNREACHED", unreached), ("SURVIVED", survivors)):
            for change in changes:
                sys.stdout.write(f"{kind} {change}\n")
        killed = tried - len(survivors) - len(unreached)
        sys.stdout.write(f"{killed} of {tried} noticed, {killed / max(tried, 1):.0%}\n")
        return True

    def _chosen(self) -> list[tuple[str, str]]:
        """Names and changes of the mutants to try: the same for the same seed."""
        found = [
            each for name, file in self._mutated.files.items() for each in _mutants(name, file)
        ]
        return random.Random(self._seed).sample(found, min(self._sample, len(found)))


def _mutants(module: str, file: MutatedFile) -> Iterator[tuple[str, str]]:
    """Name and change of each mutant that differs in more than a text."""
    lines = file.code.splitlines()

    def source(function: str) -> str:
        span = file.line_span_by_function_name[function]
        return "\n".join(lines[span.start - 1 : span.end])

    for name in file.mutant_names:
        kept, changed = source(f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"), source(name)
        if _without_texts(kept) != _without_texts(changed):
            yield f"{module}.{name}", f"{module}.{name}: {_difference(kept, changed)}"


def _without_texts(function: str) -> str:
    """Return what the function does, but not what its messages say."""
    tree = ast.parse(textwrap.dedent(function))
    tree.body[0].name = ""  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            node.value = ""
    return ast.dump(tree)


def _difference(kept: str, changed: str) -> str:
    before, after = ([line.strip() for line in each.splitlines()[1:]] for each in (kept, changed))
    gone = [line for line in before if line not in after]
    new = [line for line in after if line not in before]
    return f"{' '.join(gone)} -> {' '.join(new)}"


def _reached_by(session: pytest.Session) -> Reached | str:
    """Run each test without a mutant; return the failure of the first that fails."""
    found: Reached = {}
    hits: set[str] = set()
    trampoline.record_trampoline_hit = lambda name, **_: hits.add(name)  # type: ignore[attr-defined]
    trampoline.set_mutant_under_test(_UNMUTATED)
    for item in session.items:
        hits.clear()
        if (failure := _failure([item])) is not None:
            return f"{item.nodeid} fails: {failure}"
        found[item.nodeid] = set(hits)
    return found


def _passes(mutant: str, items: Sequence[pytest.Item]) -> bool:
    """Run these tests until one fails."""
    trampoline.set_mutant_under_test(mutant)
    return _failure(items) is None


def _failure(items: Sequence[pytest.Item]) -> str | None:
    """Run these tests until one fails, and return how it does."""
    for item, following in zip(items, [*items[1:], None], strict=True):
        # Its own marks of warnings are not a part of the protocol.
        with catch_warnings_for_item(item.config, item.ihook, "runtest", item):
            reports = runtestprotocol(item, log=False, nextitem=following)
        for report in reports:
            if report.failed:
                return report.longreprtext
    return None


def _in_a_fork(ask: Callable[[], T], default: T, seconds: float = SECONDS) -> T:
    """Return the answer of a fork of this process; the default if it died, or took too long."""
    receiver, sender = Pipe(duplex=False)
    if (child := os.fork()) == 0:
        try:
            with open(os.devnull, "w") as nothing:  # noqa: PTH123 - a descriptor
                os.dup2(nothing.fileno(), 1)
            sender.send(ask())
        finally:
            # Not the way of its parent, whose servers it would end.
            os._exit(0)
    sender.close()
    with receiver:
        answered = receiver.poll(seconds)
        try:
            return receiver.recv() if answered else default
        except EOFError:
            return default
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def main() -> None:
    """Try a sample of the mutants of modules, and write those that no test noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(NEAREST))
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if len(given.names) == 1:
        sys.exit(_try(given.names[0], given.sample, given.seed))
    for name in given.names:
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
        # Another process: a module that is imported once has no mutants any more.
        chosen = ["--sample", str(given.sample), "--seed", str(given.seed)]
        subprocess.run([sys.executable, "-m", "tests.mutation", name, *chosen], check=True)


def _try(name: str, sample: int, seed: int) -> int:
    mutated = Mutated(_modules(name))
    sys.meta_path.insert(0, mutated)
    # Rewritten assertions would need a hook of their own, which comes before ours.
    # Each fork would start a real Kafka of its own.
    near = "not slow and not kafka"
    options = ["-q", "-n0", "--assert=plain", "-p", "no:cacheprovider", "-m", near]
    return pytest.main([*options, *NEAREST[name]], [Mutation(mutated, sample, seed)])


def _modules(name: str) -> list[str]:
    """Return the module of this name, or those of the package."""
    path = ROOT / name.replace(".", "/")
    found = [path.with_suffix(".py")] if not path.is_dir() else sorted(path.glob("*.py"))
    files = [file for file in found if file.stem != "__init__"]
    return [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]


if __name__ == "__main__":
    main()
