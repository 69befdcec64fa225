"""The rules of the house, read off the source: floors, circles, file length, nesting, docstrings.

Every rule is a function from a parsed file to complaints `(line, text)`; each is tried on a small
source that breaks it, then on every file of the package.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "jaxagent"

MAX_LINES = 400
MAX_NESTING = 2

# Each floor with the floors below it; a floor may import those and itself.
FLOORS = {
    "checks": (),
    "models": ("checks",),
    "text": ("checks",),
    "envs": ("text", "checks"),
    "rl": ("envs", "text", "models", "checks"),
    "sweep": ("rl", "envs", "text", "models", "checks"),
    "study": ("sweep", "rl", "envs", "text", "models", "checks"),
}
# The front door may import every floor, and no floor may import the front door.
FRONT_DOOR = ("__init__", "__main__", "api", "cli")

Complaints = Iterator[tuple[int, str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """One file: its path inside the package (`rl/loss.py`), its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def floor(self) -> str:
        """The folder or front-door file the source belongs to."""
        return self.path.split("/")[0].removesuffix(".py")

    @property
    def package(self) -> list[str]:
        """The dotted package that a relative import with one dot starts from."""
        return ["jaxagent", *self.path.split("/")[:-1]]


def parse(path: str, text: str) -> Source:
    """Parse the text of one file."""
    return Source(path, text, ast.parse(text))


def package_sources() -> list[Source]:
    """Every Python file of the package."""
    files = sorted(PACKAGE.rglob("*.py"))
    return [parse(f.relative_to(PACKAGE).as_posix(), f.read_text("utf-8")) for f in files]


# Floors


def imported_modules(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and dotted parts of every import, relative ones made absolute.

    `from a.b import c` yields `a.b.c`: whether `c` is a module or a name in one, its floor is read
    from the second part.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = source.package
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *(node.module.split(".") if node.module else [])]
            yield from ((node.lineno, [*base, alias.name]) for alias in node.names)


def floor_complaints(source: Source) -> Complaints:
    """Complain about imports that do not go downwards, and about files on no floor."""
    if source.floor in FRONT_DOOR:
        return
    if source.floor not in FLOORS:
        yield 1, f"{source.floor} is neither a floor nor the front door"
        return
    allowed = (source.floor, *FLOORS[source.floor])
    for line, parts in imported_modules(source):
        if parts[0] == "jaxagent" and (len(parts) == 1 or parts[1] not in allowed):
            yield line, f"{source.floor} imports {'.'.join(parts)}, which is not below it"


# Circles


def circle(sources: list[Source]) -> list[str]:
    """Files that import each other in a loop, for their types alone or not; empty if none do."""
    paths = {source.path for source in sources}
    graph = {
        source.path: {file_of(parts, paths) for _, parts in imported_modules(source)} - {""}
        for source in sources
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def file_of(parts: list[str], paths: set[str]) -> str:
    """The file of the package that an import names, by itself or a name in it; empty if none."""
    for end in (len(parts), len(parts) - 1):
        path = "/".join(parts[1:end])
        for file in (f"{path}.py", f"{path}/__init__.py"):
            if parts[0] == "jaxagent" and file in paths:
                return file
    return ""


# Shape


def length_complaints(source: Source) -> Complaints:
    """Complain about a file that is too long to read from top to bottom."""
    lines = len(source.text.splitlines())
    if lines > MAX_LINES:
        yield MAX_LINES + 1, f"the file has {lines} lines, more than {MAX_LINES}"


def functions(node: ast.AST, depth: int = 1) -> Iterator[tuple[int, Function]]:
    """Yield every `def` under a node with its depth: 1 for one that stands in no other `def`."""
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, Function)
        if is_function:
            yield depth, child
        yield from functions(child, depth + is_function)


def nesting_complaints(source: Source) -> Complaints:
    """Complain about functions inside functions inside functions; a class adds no depth."""
    for depth, node in functions(source.tree):
        if depth > MAX_NESTING:
            yield node.lineno, f"{node.name} is nested {depth} deep, more than {MAX_NESTING}"


# Docstrings


def docstring_complaints(source: Source) -> Complaints:
    """Complain about public modules, functions and classes without a docstring.

    An empty `__init__.py` only marks a folder and needs none. Methods are left to their authors:
    one that keeps the promise of its base class need not repeat it.
    """
    name = source.path.split("/")[-1]
    if name.startswith("_") and name != "__init__.py":
        return
    if source.tree.body and not ast.get_docstring(source.tree):
        yield 1, "the module has no docstring"
    for node in source.tree.body:
        is_public = isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
        if is_public and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} has no docstring"


# The package


RULES = (floor_complaints, length_complaints, nesting_complaints, docstring_complaints)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removesuffix("_complaints"))
def test_package_keeps_the_rule(rule: Callable[[Source], Complaints]) -> None:
    sources = package_sources()
    assert sources, f"no Python files in {PACKAGE}"
    found = [f"jaxagent/{s.path}:{line}: {text}" for s in sources for line, text in rule(s)]
    assert not found, "\n" + "\n".join(found)


def test_no_files_import_each_other() -> None:
    assert not circle(package_sources())


# The rules themselves


def test_circles_are_found() -> None:
    texts = {
        "rl/loss.py": "if TYPE_CHECKING:\n    from jaxagent.rl.learner import Learner",
        "rl/learner.py": "def f():\n    from jaxagent.rl import loss",
        "rl/window.py": "import jaxagent.rl.loss",
    }
    sources = [parse(path, text) for path, text in texts.items()]
    assert {"rl/loss.py", "rl/learner.py"} == set(circle(sources))
    assert not circle([sources[0], sources[2]])


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("rl/loss.py", "import jaxagent.envs.pool\nfrom jaxagent.models import policy", []),
        ("rl/loss.py", "import jax\nfrom jaxagent.rl.ratio import clip\nfrom . import ratio", []),
        ("text/schema.py", "import jax\nimport jaxagent.envs.pool", [2]),
        ("text/schema.py", "from jaxagent.models.policy import Policy", [1]),
        ("models/policy.py", "from jaxagent import text", [1]),
        ("envs/pool.py", "def f():\n    from jaxagent.rl import loss", [2]),
        ("envs/textcraft/rules.py", "from ..pool import deal\nfrom ...text import schema", []),
        ("envs/textcraft/rules.py", "from ...rl.loss import ppo", [1]),
        ("envs/__init__.py", "from .pool import deal\nfrom ..rl import loss", [2]),
        ("rl/learner.py", "from jaxagent.sweep import mesh", [1]),
        ("study/plan.py", "from jaxagent.sweep import mesh\nfrom jaxagent.cli import main", [2]),
        ("study/plan.py", "import jaxagent\nfrom jaxagent import __version__", [1, 2]),
        ("cli.py", "import jaxagent.study.plan", []),
        ("__init__.py", "from jaxagent.study import plan\nfrom .envs import pool", []),
        ("helpers.py", "import jax", [1]),
        ("helpers/loss.py", "import jax", [1]),
    ],
)
def test_floor_rule(path: str, text: str, lines: list[int]) -> None:
    assert [line for line, _ in floor_complaints(parse(path, text))] == lines


@pytest.mark.parametrize(("count", "complaints"), [(MAX_LINES, 0), (MAX_LINES + 1, 1)])
def test_length_rule(count: int, complaints: int) -> None:
    assert len(list(length_complaints(parse("rl/loss.py", "x = 1\n" * count)))) == complaints


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("class A:\n    def f(self):\n        def g(): return lambda: 0", []),
        ("def f():\n    def g():\n        return 0\n    return g", []),
        ("def f():\n    if f:\n        def g():\n            def h(): return 0", [4]),
        ("class A:\n    def f(self):\n        def g():\n            def h(): return 0", [4]),
        ("def f():\n    class A:\n        def g(self):\n            async def h(): return 0", [4]),
    ],
)
def test_nesting_rule(text: str, lines: list[int]) -> None:
    assert [line for line, _ in nesting_complaints(parse("rl/loss.py", text))] == lines


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("rl/loss.py", '"""Losses."""\ndef f():\n    """Loss."""', []),
        ("rl/loss.py", "x = 1", [1]),
        ("rl/__init__.py", "", []),
        ("rl/__init__.py", "from .loss import ppo", [1]),
        ("rl/_private.py", "def f(): return 0", []),
        ("rl/loss.py", '"""Losses."""\ndef f(): return 0\nclass A: pass', [2, 3]),
        ("rl/loss.py", '"""Losses."""\ndef _f(): return 0\nclass A:\n    """A."""\n    x = 1', []),
        ("rl/loss.py", '"""Losses."""\nasync def f(): return 0', [2]),
    ],
)
def test_docstring_rule(path: str, text: str, lines: list[int]) -> None:
    assert [line for line, _ in docstring_complaints(parse(path, text))] == lines
