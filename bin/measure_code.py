"""What the code is like, in figures: `python -m bin.measure_code [ROOT]...`, a column for each root.

Counts the product's packages: what the app imports, without tests, benches, training and tools. Reads
sources only, so any checkout will do, also an old one.
"""

import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef

PRODUCT = ("pipelines", "commission", "votes", "booth", "pages", "presets")  # and the modules beside app.py
MOST_COMPLEX = 10
PRIVATE_WORDS = ("one", "told")
# Participles that end in neither -ed nor -en, and words in -ed and -en that are none.
IRREGULAR = {
    *(
        "built",
        "cut",
        "drawn",
        "done",
        "fit",
        "found",
        "held",
        "kept",
        "known",
        "lent",
        "let",
        "lit",
        "lost",
        "made",
    ),
    *(
        "met",
        "paid",
        "put",
        "read",
        "said",
        "seen",
        "sent",
        "set",
        "shown",
        "shut",
        "sold",
        "stood",
        "told",
        "thrown",
    ),
    *("worn", "won", "torn", "sworn", "brought", "bought", "left", "meant", "felt", "dealt", "led", "laid"),
}
NO_PARTICIPLE = {
    "need",
    "seed",
    "feed",
    "speed",
    "embed",
    "exceed",
    "red",
    "bed",
    "open",
    "listen",
    "even",
    "screen",
}
NO_PARTICIPLE |= {
    "token",
    "children",
    "often",
    "then",
    "when",
    "green",
    "garden",
    "lighten",
    "flatten",
    "fetch",
}
AMBIGUOUS = {"cut", "fit", "let", "put", "read", "set", "shut"}  # verbs just as well


@dataclass(frozen=True)
class Module:
    """A source file, read."""

    name: str  # dotted, as it is imported
    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """How many it has."""
        return self.text.count("\n")

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        """Every class."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                yield node


def read_product(root: Path) -> list[Module]:
    """The modules of the packages that are there, and those at the root."""
    files = [*root.glob("*.py"), *(path for name in PRODUCT for path in (root / name).rglob("*.py"))]
    modules = []
    for path in sorted(files):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        modules.append(Module(name, path, text, ast.parse(text)))
    return modules


def length(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def is_typed(function: Function) -> bool:
    """Whether every argument but `self` and `cls`, and what is returned, has a type."""
    own = function.args
    named = [*own.posonlyargs, *own.args, *own.kwonlyargs, *filter(None, (own.vararg, own.kwarg))]
    return function.returns is not None and all(
        argument.annotation is not None or argument.arg in ("self", "cls") for argument in named
    )


def complexity(function: Function) -> int:
    """McCabe's number as ruff's C901 counts it; a nested function counts into the one around it."""
    branches = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension)
    total = 1
    for node in ast.walk(function):
        if isinstance(node, ast.IfExp | ast.comprehension):
            continue
        if isinstance(node, branches) or (isinstance(node, Function) and node is not function):
            total += 1
        if isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.Try) and node.orelse:
            total += 1
        if isinstance(node, ast.Match):
            total += len(node.cases)
    return total


def is_bare_participle(name: str) -> bool:
    """Whether a function's name is a single participle, as `drawn` or `kept`; a guess by its ending."""
    word = name.strip("_")
    if "_" in word or word in NO_PARTICIPLE or word in AMBIGUOUS:
        return False
    return word in IRREGULAR or bool(re.fullmatch(r"[a-z]{3,}(ed|en)", word))


def identifiers(tree: ast.Module) -> Iterator[str]:
    """Every name that a module binds or uses: variables, arguments, attributes, functions, keywords."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.keyword(arg=str(name)) | ast.alias(asname=str(name)):
                yield name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


def imports(module: Module, known: set[str]) -> set[str]:
    """The modules of ours that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(module.tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in inside]
        found |= known & set(names) - {module.name}
    return found


def cycles(modules: list[Module]) -> list[list[str]]:
    """Groups of modules that import one another (Tarjan's strongly connected components)."""
    known = {module.name for module in modules}
    graph = {module.name: imports(module, known) for module in modules}
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        numbers[name] = lowest[name] = len(numbers)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in numbers:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == numbers[name]:
            place = stack.index(name)
            groups.append(stack[place:])
            del stack[place:]

    for name in sorted(graph):
        if name not in numbers:
            visit(name)
    return [group for group in groups if len(group) > 1]


def fields_of(name: str, modules: list[Module]) -> int:
    """How many fields a class declares or sets on `self`."""
    for module in modules:
        for node in module.classes():
            if node.name == name:
                declared = {item.target.id for item in node.body if isinstance(item, ast.AnnAssign)
                            and isinstance(item.target, ast.Name)}  # fmt: skip
                stored = {
                    part.attr
                    for part in ast.walk(node)
                    if isinstance(part, ast.Attribute)
                    and isinstance(part.ctx, ast.Store)
                    and isinstance(part.value, ast.Name)
                    and part.value.id == "self"
                }
                return len(declared | stored)
    return 0


def measure(root: Path) -> dict[str, str]:
    """Each figure by its name."""
    modules = read_product(root)
    functions = [(module, function) for module in modules for function in module.functions()]
    typed = statistics.mean(is_typed(function) for _, function in functions)
    longest_module = max(modules, key=lambda module: module.lines)
    where, longest = max(functions, key=lambda pair: length(pair[1]))
    names = Counter(name for module in modules for name in identifiers(module.tree))
    classes = Counter(node.name for module in modules for node in module.classes())
    twice = sorted(name for name, count in classes.items() if count > 1)
    bare = [function.name for _, function in functions if is_bare_participle(function.name)]
    escapes = sum(module.text.count("escape(") for module in modules if module.name.startswith("pages"))
    circles = cycles(modules)
    return {
        "lines of Python": f"{sum(module.lines for module in modules):,}",
        "modules": str(len(modules)),
        "longest module": f"{longest_module.lines} {longest_module.path.relative_to(root)}",
        "functions": str(len(functions)),
        "longest function": f"{length(longest)} {where.name}.{longest.name}",
        "median function length": f"{statistics.median(length(function) for _, function in functions):g}",
        "functions fully typed": f"{100 * typed:.1f} %",
        f"functions over complexity {MOST_COMPLEX}": str(
            sum(complexity(function) > MOST_COMPLEX for _, function in functions)
        ),
        "import cycles": f"{len(circles)} {' '.join(','.join(circle) for circle in circles)}".strip(),
        "`escape(` in pages": str(escapes),
        **{f"identifiers `{word}`": str(names[word]) for word in PRIVATE_WORDS},
        "bare-participle functions": f"{len(bare)} ({len(set(bare))} names)",
        "fields of Visit": str(fields_of("Visit", modules)),
        "classes defined twice": f"{len(twice)} {', '.join(twice)}".strip(),
    }


def main(arguments: list[str]) -> int:
    """Print the table."""
    roots = [Path(name).resolve() for name in arguments or ["."]]
    columns = [measure(root) for root in roots]
    sys.stdout.write("| figure | " + " | ".join(root.name for root in roots) + " |\n")
    sys.stdout.write("|---|" + "---|" * len(roots) + "\n")
    for name in columns[0]:
        sys.stdout.write(f"| {name} | " + " | ".join(column[name] for column in columns) + " |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
