"""Writes the corpus: CloudTrail log files and Cloud Audit Log lines, the same for the same parameters.

    python bench/generate.py [--cloudtrail-mb 1000] [--audit-mb 300]

A part that is there already is used again where its manifest says that the same code made it with the same
parameters. The manifest lies beside the part's folder: in the folder it would be read as a log.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import audit
import cloudtrail
import tenant
from fields import lower_id

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
CLOUDTRAIL_MB, AUDIT_MB = 1000, 300
SEED = 20261102
_GZIP_LEVEL = 6
_MADE_BY = ("generate.py", "cloudtrail.py", "calls.py", "audit.py", "fields.py", "tenant.py")
_PROCESSES = 2


class Part(NamedTuple):
    """One cloud's half of the corpus."""

    cloud: str
    megabytes: int
    seed: int = SEED

    @property
    def folder(self) -> Path:
        """Return where its log files lie."""
        return DATA / f"{self.cloud}-{self.megabytes}"

    @property
    def manifest(self) -> Path:
        """Return the file that says what the folder holds."""
        return DATA / f"{self.cloud}-{self.megabytes}.json"


class Manifest(NamedTuple):
    """What a part holds; sizes are of the files unpacked and packed, in bytes."""

    digest: str
    files: int
    records: int
    unpacked: int
    packed: int
    largest: int


class File(NamedTuple):
    """One log file to write: where, its number, when it begins, and how large it is to become."""

    part: Part
    path: str
    number: int
    start_s: int
    size: int


def generate(part: Part) -> Manifest:
    """Write a part of the corpus, or leave what is there, and return what it holds."""
    digest = _digest(part)
    if part.manifest.exists():
        manifest = Manifest(**json.loads(part.manifest.read_text()))
        if manifest.digest == digest and part.folder.is_dir():
            return manifest
    shutil.rmtree(part.folder, ignore_errors=True)
    part.manifest.unlink(missing_ok=True)
    files = _files(part)
    with ProcessPoolExecutor(_PROCESSES) as pool:
        written = list(pool.map(_write, sorted(files, key=lambda file: -file.size), chunksize=1))
    records, unpacked, packed = (sum(numbers) for numbers in zip(*written, strict=True))
    manifest = Manifest(digest, len(files), records, unpacked, packed, max(sizes[1] for sizes in written))
    part.manifest.write_text(json.dumps(manifest._asdict(), indent=1) + "\n")
    return manifest


def _digest(part: Part) -> str:
    made_by = b"".join((HERE / name).read_bytes() for name in _MADE_BY)
    parameters = json.dumps([part.cloud, part.megabytes, part.seed, _GZIP_LEVEL]).encode()
    return hashlib.sha256(parameters + made_by).hexdigest()


def _files(part: Part) -> list[File]:
    """Return the files of a part. CloudTrail's sizes differ as they do in a bucket, the largest about tenfold."""
    rng = random.Random(f"{part.seed}/{part.cloud}")
    size = part.megabytes * 10**6
    if part.cloud == "cloudtrail":
        count = max(4, part.megabytes // 2)
        weights = [rng.lognormvariate(0, 0.9) for _ in range(count)]
        starts = [index * cloudtrail.DAYS * 86_400 // count for index in range(count)]
        paths = [_cloudtrail_path(start, lower_id(rng, 16)) for start in starts]
    else:
        count = max(2, part.megabytes // 5)
        weights = [rng.uniform(0.7, 1.3) for _ in range(count)]
        starts = [index * 3600 for index in range(count)]
        paths = [_audit_path(start) for start in starts]
    whole = sum(weights)
    return [
        File(part, path, number, start, int(size * weight / whole))
        for number, (path, start, weight) in enumerate(zip(paths, starts, weights, strict=True))
    ]


def _cloudtrail_path(start_s: int, unique: str) -> str:
    day, minute = 2 + start_s // 86_400, start_s % 86_400 // 60
    account, stamp = tenant.ACCOUNT, f"202611{day:02d}T{minute // 60:02d}{minute % 60:02d}Z"
    name = f"{account}_CloudTrail_us-east-1_{stamp}_{unique}.json.gz"
    return f"AWSLogs/{account}/CloudTrail/us-east-1/2026/11/{day:02d}/{name}"


def _audit_path(start_s: int) -> str:
    day, hour = 2 + start_s // 86_400, start_s % 86_400 // 3600
    return f"cloudaudit.googleapis.com/data_access/2026/11/{day:02d}/{hour:02d}:00:00_{hour:02d}:59:59_S0.json.gz"


def _write(file: File) -> tuple[int, int, int]:
    """Write a log file; return its records, its size and its size on disk."""
    if file.part.cloud == "cloudtrail":
        records = _until(cloudtrail.records(file.part.seed, file.number, file.start_s), file.size)
        text = f'{{"Records":[{",".join(records)}]}}'
    else:
        records = _until(audit.lines(file.part.seed, file.number, file.start_s), file.size)
        text = "".join(f"{line}\n" for line in records)
    data = text.encode()
    packed = gzip.compress(data, _GZIP_LEVEL, mtime=0)
    path = file.part.folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    return len(records), len(data), len(packed)


def _until(records: Iterable[str], size: int) -> list[str]:
    return list(_take(iter(records), size))


def _take(records: Iterator[str], size: int) -> Iterator[str]:
    while size > 0:
        record = next(records)
        size -= len(record) + 1
        yield record


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how large the corpus is."""
    parser.add_argument("--cloudtrail-mb", type=int, default=CLOUDTRAIL_MB, help="CloudTrail, unpacked, in 10^6 bytes")
    parser.add_argument("--audit-mb", type=int, default=AUDIT_MB, help="audit-log lines, unpacked, in 10^6 bytes")


def describe(part: Part, manifest: Manifest) -> str:
    """Return a line that says what a part holds."""
    return (
        f"{part.cloud}: {manifest.files} files, {manifest.records:,} records, {manifest.unpacked / 1e6:,.0f} MB"
        f" ({manifest.unpacked / manifest.records:,.0f} bytes a record), gzip ratio"
        f" {manifest.unpacked / manifest.packed:.1f}, largest file {manifest.largest / 1e6:.1f} MB unpacked"
    )


def main() -> None:
    """Write both parts and say what they hold."""
    parser = argparse.ArgumentParser(description="Write the corpus of the bench into bench/data.")
    add_sizes(parser)
    options = parser.parse_args()
    for part in (Part("cloudtrail", options.cloudtrail_mb), Part("audit", options.audit_mb)):
        DATA.mkdir(exist_ok=True)
        print(describe(part, generate(part)))


if __name__ == "__main__":
    main()
