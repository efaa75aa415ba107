"""The other ways to read the same logs: what a user would do without callerid.

    python bench/peers.py {parse,floor,duckdb,loop} {cloudtrail,audit} FOLDER

Each prints its counts as JSON. *parse* only unpacks and parses, and judges nothing: the floor of every
program that decodes whole records. *floor* is callerid's own unpacking and decoding without its judge.
*duckdb* and *loop* decide three kinds, a part of what callerid decides: web identities (the subject is listed
for the role), the later calls of the role that requires a source identity (it is present) and token exchanges
(the subject is listed for the provider).
"""

from __future__ import annotations

import fnmatch
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tenant

EXCHANGE = "google.identity.sts.v1.SecurityTokenService.ExchangeToken"
Counts = dict[str, Any]


def web_subjects() -> list[tuple[str, str]]:
    """Return the subjects of web identities with the role that each may assume."""
    found = []
    for caller in tenant.CALLERS:
        identity = caller["identities"][0]
        subject = identity.get("google_service_account") or identity.get("oidc", {}).get("subject")
        found += [(subject, reach["aws_role"]) for reach in caller["may_reach"] if subject and "aws_role" in reach]
    return found


def exchange_subjects() -> list[tuple[str, str]]:
    """Return patterns of the subjects that may be exchanged, with the provider that each comes through."""
    found = []
    for caller in tenant.CALLERS:
        identity = caller["identities"][0]
        subject = identity.get("oidc", {}).get("subject") or _sessions_of(identity.get("aws_role"))
        found += [(subject, reach["provider"]) for reach in caller["may_reach"] if subject and "provider" in reach]
    return found


def _sessions_of(role: str | None) -> str | None:
    if role is None:
        return None
    return role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/*"


def _files(folder: str) -> list[Path]:
    return sorted(Path(folder).rglob("*.json.gz"))


def parse(cloud: str, folder: str) -> Counts:
    """Unpack and parse with the fastest parser of whole records; judge nothing."""
    import orjson  # noqa: PLC0415  # only this way of reading needs it

    count = 0
    for path in _files(folder):
        if cloud == "cloudtrail":
            count += len(orjson.loads(gzip.decompress(path.read_bytes()))["Records"])
            continue
        with gzip.open(path) as lines:
            for line in lines:
                orjson.loads(line)
                count += 1
    return {"records": count}


def loop(cloud: str, folder: str) -> Counts:
    """Do what a tutorial shows: unpack, parse, go through the records, compare patterns."""
    decide = _decide_cloudtrail if cloud == "cloudtrail" else _decide_audit
    counts: Counter[str] = Counter()
    records = 0
    for record in _records(cloud, folder):
        records += 1
        decided = decide(record)
        if decided:
            counts[decided] += 1
    return {"records": records, **dict(sorted(counts.items()))}


def _records(cloud: str, folder: str) -> Iterator[Any]:
    for path in _files(folder):
        with gzip.open(path) as file:
            if cloud == "cloudtrail":
                yield from json.load(file)["Records"]
            else:
                yield from map(json.loads, file)


def _decide_cloudtrail(record: Any) -> str | None:
    identity = record["userIdentity"]
    if record["eventName"] == "AssumeRoleWithWebIdentity":
        return f"web-identity {_listed(identity.get('userName'), record['requestParameters']['roleArn'], _WEB)}"
    context = identity.get("sessionContext") or {}
    if (context.get("sessionIssuer") or {}).get("arn") != tenant.SOURCE_IDENTITY_ROLE:
        return None
    if record["eventName"] == "AssumeRole":
        return None
    return f"session-use {'identified' if context.get('sourceIdentity') else 'anonymous'}"


def _decide_audit(entry: Any) -> str | None:
    payload = entry["protoPayload"]
    if payload["methodName"] != EXCHANGE:
        return None
    subject = payload["authenticationInfo"].get("principalSubject")
    if not subject and payload["status"].get("code"):
        return "token-exchange unattributable"
    return f"token-exchange {_listed(subject, payload['resourceName'], _EXCHANGES)}"


def _listed(subject: str | None, target: str, listed: list[tuple[str, str]]) -> str:
    if not subject:
        return "anonymous"
    found = any(fnmatch.fnmatchcase(subject, pattern) and reached == target for pattern, reached in listed)
    return "identified" if found else "unexpected"


_WEB, _EXCHANGES = web_subjects(), exchange_subjects()


def in_duckdb(cloud: str, folder: str) -> Counts:
    """Decide in one statement over the files, on one thread."""
    import duckdb  # noqa: PLC0415  # only this way of reading needs it

    connection = duckdb.connect(config={"threads": 1})
    listed = _WEB if cloud == "cloudtrail" else _EXCHANGES
    connection.execute("CREATE TABLE listed (pattern VARCHAR, target VARCHAR)")
    connection.executemany("INSERT INTO listed VALUES (?, ?)", listed)
    statement = _CLOUDTRAIL_SQL if cloud == "cloudtrail" else _AUDIT_SQL
    rows = connection.execute(statement, {"files": f"{folder}/**/*.json.gz"}).fetchall()
    counts = dict(sorted((kind, count) for kind, count in rows if kind))
    return {"records": sum(count for _, count in rows), **counts}


_VERDICT = """
    CASE WHEN subject IS NULL OR subject = '' THEN 'anonymous'
         WHEN EXISTS (SELECT 1 FROM listed WHERE listed.target = asked AND subject GLOB listed.pattern)
         THEN 'identified' ELSE 'unexpected' END"""
_CLOUDTRAIL_SQL = f"""
WITH records AS (
    SELECT json_extract_string(unnest(json->'$.Records[*]'), [
        '$.eventName', '$.userIdentity.userName', '$.requestParameters.roleArn',
        '$.userIdentity.sessionContext.sessionIssuer.arn', '$.userIdentity.sessionContext.sourceIdentity']) AS r
    FROM read_json_objects($files, format = 'unstructured', maximum_object_size = 268435456)
), calls AS (
    SELECT r[1] AS name, r[2] AS subject, r[3] AS asked, r[4] AS role, r[5] AS source_identity FROM records
)
SELECT CASE
    WHEN name = 'AssumeRoleWithWebIdentity' THEN 'web-identity ' || {_VERDICT}
    WHEN role = '{tenant.SOURCE_IDENTITY_ROLE}' AND name <> 'AssumeRole' THEN
        'session-use ' || CASE WHEN source_identity <> '' THEN 'identified' ELSE 'anonymous' END
    END AS kind, count(*)
FROM calls GROUP BY ALL"""  # every part is a constant of the bench
_AUDIT_SQL = f"""
WITH records AS (
    SELECT json_extract_string(json, [
        '$.protoPayload.methodName', '$.protoPayload.authenticationInfo.principalSubject',
        '$.protoPayload.resourceName', '$.protoPayload.status.code']) AS r
    FROM read_ndjson_objects($files)
), calls AS (
    SELECT r[1] AS name, r[2] AS subject, r[3] AS asked, r[4] AS code FROM records
)
SELECT CASE WHEN name = '{EXCHANGE}' THEN 'token-exchange ' ||
    CASE WHEN coalesce(subject, '') = '' AND code <> '0' THEN 'unattributable' ELSE {_VERDICT} END
    END AS kind, count(*)
FROM calls GROUP BY ALL"""  # every part is a constant of the bench
# The fields are taken out of each record's JSON: read_json with typed columns took 5 to 10 times as long.


def floor(_cloud: str, folder: str) -> Counts:
    """Unpack and decode as callerid does, and judge nothing: what is left where judging costs nothing."""
    from callerid import delivery  # noqa: PLC0415  # only this way needs it
    from callerid.envelope import Batch  # noqa: PLC0415
    from callerid.sources import files  # noqa: PLC0415

    records = 0
    for path in _files(folder):
        lines = delivery.Lines()
        for block in files.blocks(str(path)):
            items = (lines.read if block.is_lines else delivery.document)(block.data)
            records += sum(len(item.records) for item in items if isinstance(item, Batch))
    return {"records": records}


WAYS: dict[str, Callable[[str, str], Counts]] = {
    "parse": parse,
    "floor": floor,
    "duckdb": in_duckdb,
    "loop": loop,
}


def main() -> None:
    """Run one way over one folder."""
    way, cloud, folder = sys.argv[1:]
    json.dump(WAYS[way](cloud, folder), sys.stdout)


if __name__ == "__main__":
    main()
