"""Imports point down the listing in the README, and nothing that judges knows what lies above it."""

import ast
import re
from functools import cache

import pytest

from tests.conftest import ROOT

SOURCES = ROOT / "shared"
SPOKEN_BELOW = {
    "callerid.trace.link", "callerid.trace.chain", "callerid.trace.held", "callerid.trace.query",
    "callerid.trace.read", "callerid.alerts.clock",
}  # fmt: skip
"""Modules whose words those below them speak too, as the README says."""
KEPT_ABOVE = {"callerid.policy.standing": "ledger"}
"""Modules that stand below what they are kept in, as the README says."""


def _name(path) -> str:
    return ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")


MODULES = {_name(path): path for path in (SOURCES / "callerid").rglob("*.py")}


@cache
def imports(module: str) -> frozenset[str]:
    """What a module imports as it is loaded itself: modules of callerid whole, of others the first part."""
    found = set()
    for node in ast.parse(MODULES[module].read_text()).body:
        if isinstance(node, ast.ImportFrom):
            every = [f"{node.module}.{name.name}" for name in node.names]
            found |= {name if name in MODULES else str(node.module) for name in every}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return frozenset(name if name.startswith("callerid") else name.partition(".")[0] for name in found)


@cache
def closure(module: str) -> frozenset[str]:
    """All that is loaded with a module."""
    found, rest = set(), [module]
    while rest:
        one = rest.pop()
        if one not in found:
            found.add(one)
            rest += imports(one) if one in MODULES else ()
    return frozenset(found)


def _layers() -> dict[str, int]:
    """The line of the README's listing on which each module or package of callerid stands, from above."""
    listing = (ROOT / "README.md").read_text().partition("shared/callerid/\n")[2].partition("\nexamples/")[0]
    names = {_layer(module) for module in MODULES}
    places: dict[str, int] = {}
    place = 0
    for line in listing.splitlines():
        place += line.startswith("  ") and not line.startswith("   ")
        for name, end in re.findall(r"(?<![\w/.])(\w+)(\.py|/)(?=[\s,;:]|$)", line):
            if name in names and (end == "/") == (SOURCES / "callerid" / name).is_dir():
                places.setdefault(name, place)
    return places


def _layer(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


LAYERS = _layers()


def test_every_module_stands_in_the_readme_s_listing():
    assert {_layer(module) for module in MODULES} - {"", "__main__"} == LAYERS.keys()


@pytest.mark.parametrize("module", sorted(module for module in MODULES if _layer(module) in LAYERS))
def test_imports_point_down_the_listing(module):
    above = {
        name
        for name in imports(module)
        if LAYERS.get(_layer(name), 99) < LAYERS[_layer(module)] and KEPT_ABOVE.get(module) != _layer(name)
    }
    assert above <= SPOKEN_BELOW


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_imports_in_a_circle(module):
    assert all(module not in closure(name) for name in imports(module) if name in MODULES)


@pytest.mark.parametrize(("cloud", "other"), [("aws", "gcp"), ("gcp", "aws")])
def test_the_two_clouds_readers_do_not_know_each_other(cloud, other):
    of_cloud = [module for module in MODULES if module.startswith(f"callerid.{cloud}.")]
    assert not [module for module in of_cloud for name in closure(module) if name.startswith(f"callerid.{other}.")]


@pytest.mark.parametrize("module", ["engine", "judge", "delivery", "aws.read", "gcp.read", "policy.book"])
def test_what_judges_knows_no_file_clock_network_or_environment(module):
    loaded = closure(f"callerid.{module}")
    assert loaded.isdisjoint({"os", "time", "socket", "pathlib", "subprocess", "urllib", "requests", "boto3", "google"})
    layers = {_layer(name) for name in loaded if name in MODULES}
    assert layers.isdisjoint({"cli", "service", "alerts", "ledger", "trace", "sources", "scan", "monitor"})


def test_only_the_command_line_knows_click_and_rich():
    found = {
        _layer(module)
        for module, path in MODULES.items()
        if re.search(r"\b(import|from) (click|rich)\b", path.read_text())
    }
    assert found == {"cli"}
