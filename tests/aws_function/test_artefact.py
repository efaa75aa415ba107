"""What `sam build` makes, run as Lambda runs it: the artefact's own files, boto3 and runtime client beside it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from platform import machine
from typing import Any, NamedTuple

import pytest

from tests import parts
from tests.aws_function.stage import NOTHING_FAILED, batch, event
from tests.conftest import POLICY, ROOT, record
from tests.ledger.made import counts, stranger

DEPLOYED = "3.13"
"""The runtime of template.yaml."""
_UNREACHED = re.compile(
    r"No matching distribution|Could not find a version|connection|Temporary failure", re.IGNORECASE
)
_AARCH64 = 183
"""Of an ELF header: https://www.sco.com/developers/gabi/latest/ch4.eheader.html."""


class Artefact(NamedTuple):
    """A folder that was built, and the interpreter that it was built for."""

    root: Path
    python: str


def ran(command: list[str], **options: Any) -> str:
    """Run a command that asks a package index; skip where it reaches none, fail where anything else is wrong."""
    run = subprocess.run(command, check=False, capture_output=True, text=True, **options)
    if run.returncode and _UNREACHED.search(run.stderr):
        parts.needs("pypi", "pip reaches no package index")
    assert run.returncode == 0, run.stderr
    return run.stdout


def build(root: Path, version: str, architecture: str, python: str) -> Artefact:
    """Build an artefact as SAM does, with the example policy."""
    path = os.pathsep.join((str(Path(python).parent), os.environ["PATH"]))
    settings = [f"ARTIFACTS_DIR={root}", f"RUNTIME={version}", f"MACHINE={architecture}", f"PYTHON={sys.executable}"]
    ran(["make", "build-Judge", *settings], cwd=ROOT, env={**os.environ, "PATH": path})
    shutil.copy(POLICY, root / "aws_function" / "policy.yaml")
    return Artefact(root, python)


def deployed_python(folder: Path) -> str:
    """Return an interpreter of the deployed version, with what the runtime brings beside it."""
    version = f"python{DEPLOYED}"
    found = next(filter(works, candidates(version)), None)
    if found is None:
        pytest.skip(f"needs {version}: none is installed; what is built for this interpreter is run all the same")
    subprocess.run([found, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / version)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt")]
    ran([*pip, "boto3", "awslambdaric"])
    return python


def candidates(version: str) -> Iterator[str]:
    """Yield where an interpreter may be: on the path, or where pyenv keeps what it has not put there."""
    if found := shutil.which(version):
        yield found
    if pyenv := shutil.which("pyenv"):
        prefix = subprocess.run([pyenv, "prefix", DEPLOYED], check=False, capture_output=True, text=True).stdout.strip()
        yield f"{prefix}/bin/{version}"


def works(python: str) -> bool:
    """Tell an interpreter from a shim in front of none."""
    return Path(python).exists() and not subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode


@pytest.fixture(scope="module", params=["this interpreter", "the deployed one"])
def artefact(request, tmp_path_factory) -> Artefact:
    """The artefact for this processor."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = tmp_path_factory.mktemp("artefact")
    if request.param == "this interpreter":
        return build(folder / "task", own, machine(), sys.executable)
    if own == DEPLOYED:
        pytest.skip("this interpreter is of the deployed version")
    return build(folder / "task", DEPLOYED, machine(), deployed_python(folder / "python"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory) -> Path:
    """The artefact as it is deployed: arm64, whatever this machine is."""
    return build(tmp_path_factory.mktemp("shipped") / "task", DEPLOYED, "aarch64", sys.executable).root


def test_the_artefact_does_the_whole_work(artefact, stage, slack):
    """A stranger among the listed becomes one message; a second delivery changes nothing."""
    stage.root, stage.python = artefact
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        for _ in range(2):
            assert judge.invoke(batch(event(stranger(1)), event(record(2)))).answer == NOTHING_FAILED
            tasks.invoke({"task": "deliver"})
        assert tasks.invoke({"task": "summary"}).error is None
    finding, summary = slack.texts()
    assert finding.startswith("HIGH: unexpected caller")
    assert summary.startswith("Federated access, week")
    assert counts(stage.store) == {"unexpected allowed": 1, "identified allowed": 1}


def test_everything_that_runs_was_compiled_at_the_build(artefact, stage):
    """Lambda's folder is read-only: what is not compiled is compiled at each start. Here it would be written."""
    stage.root, stage.python = artefact
    compiled = {path: path.stat().st_mtime_ns for path in artefact.root.rglob("*.pyc")}
    with stage.run("judge") as judge, stage.run("tasks") as tasks:
        judge.invoke(batch(event(stranger(1))))
        tasks.invoke({"task": "deliver"})
    assert any(path.name.startswith("scheduled.") for path in compiled)
    assert {path: path.stat().st_mtime_ns for path in artefact.root.rglob("*.pyc")} == compiled


def test_the_artefact_carries_no_command_line_and_no_client_that_the_runtime_has(artefact):
    assert not {"boto3", "botocore", "click", "rich", "google"} & {path.name for path in artefact.root.iterdir()}


def test_every_library_of_the_deployed_artefact_is_for_its_processor(shipped):
    """Both as the wheels say and as their binaries are."""
    tags = {
        path.parent.name.partition("-")[0]: re.findall(r"^Tag: (.+)$", path.read_text(), re.MULTILINE)
        for path in shipped.glob("*.dist-info/WHEEL")
    }
    assert {"msgspec", "pyyaml", "zlib_ng"} <= tags.keys()
    for name, found in tags.items():
        assert all(re.fullmatch(r"py(2|3)-none-any|cp313-(cp313|abi3)-manylinux\w+_aarch64", tag) for tag in found), (
            name
        )
    binaries = list(shipped.rglob("*.so"))
    assert binaries
    for path in binaries:
        assert int.from_bytes(path.read_bytes()[18:20], "little") == _AARCH64, path


def test_the_deployed_artefact_runs_on_the_c_library_of_its_runtime(shipped):
    """python3.13 runs on Amazon Linux 2023, whose glibc is 2.34."""
    for path in shipped.glob("*.dist-info/WHEEL"):
        wanted = [int(minor) for minor in re.findall(r"manylinux_2_(\d+)_", path.read_text())]
        assert min(wanted, default=0) <= 34, path
