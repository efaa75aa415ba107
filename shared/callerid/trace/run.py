"""A query and where to look into what is printed: what ``callerid trace`` does, without a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice

from msgspec import Struct

from callerid import moment
from callerid.ledger.store import Store, UnavailableError
from callerid.ledger.url import LedgerUrlError, connect
from callerid.names.printable import printable
from callerid.policy import cache
from callerid.policy.fault import PolicyError
from callerid.policy.identity import keys
from callerid.sources import files
from callerid.sources.cloud import BrokenOffError
from callerid.trace import index as logs
from callerid.trace import show
from callerid.trace.chain import Index, Step, back, behind, forward, steps
from callerid.trace.kept import KeptError, KeptIndex, told
from callerid.trace.link import Link
from callerid.trace.query import Query, parse, together

MOST = 1000
"""Chains that are walked for one query; a role may have millions of sessions."""
_CALLS = 100_000
"""Single calls that are gathered for one query."""
_SECOND = len("2026-11-02T03:00:00")


class InputError(Exception):
    """What was asked for cannot be read; the message says what and why."""


class Result(Struct):
    """What was found."""

    named: str
    chains: list[show.Chain]
    calls: show.Calls
    more: int = 0
    """Further records of the same name that were not walked from."""
    broken_off: tuple[str, ...] = ()
    """Histories that were not read to their end, and why."""
    records: int = 0
    unreadable: int = 0
    """What of the logs could not be read now, each record or file; nothing but that makes no answer."""


def query(text: str, *, since: str | None, until: str | None, policy: str | None) -> Query:
    """Return the query of a command line; a caller's name stands for all its identities.

    Raises:
        InputError: for a time or a policy that cannot be read.
    """
    times = [_time(since, "00:00:00"), _time(until, "23:59:59")]
    if times[0] and times[1] and times[0][:_SECOND] > times[1][:_SECOND]:
        raise InputError(f"--since {since} is after --until {until}")
    names: tuple[str, ...] = ()
    if policy is not None:
        try:
            book = cache.load(policy, cache.folder(dict(os.environ)))
        except PolicyError as error:
            raise InputError(str(error)) from error
        caller = book.caller(text)
        identities = caller.identities if caller else ()
        names = tuple(key.value for identity in identities for key in keys(identity))
        names += tuple(identity.email for identity in identities if identity.email)
    return parse(text, names=names, since=times[0], until=times[1])


def _time(text: str | None, of_day: str) -> str | None:
    if text is None:
        return None
    whole = f"{text}T{of_day}Z" if len(text) == len("2026-11-02") else text
    found = moment.utc(whole) or moment.utc(f"{whole}:00Z")
    if found is None:
        raise InputError(f"{text}: expected a time such as 2026-11-02T03:00:00Z")
    return found


def in_logs(paths: Sequence[str], wanted: Query, *, forward: bool) -> Result:
    """Return what logs show, by an index of their own that is gone afterwards.

    A history that breaks off is told in the result: a trace of a part can miss who began, so it is no clean one.

    Raises:
        InputError: for a path that names nothing.
    """
    return each_in_logs(paths, [wanted], forward=forward)[0]


def each_in_logs(paths: Sequence[str], queries: Sequence[Query], *, forward: bool) -> list[Result]:
    """Return the same for each of several queries. However many they are, the logs are read once, forward twice."""
    try:
        found = files.find(paths)
    except files.NoFileError as error:
        raise InputError(str(error)) from error
    broken_off: dict[str, None] = {}
    with logs.LogIndex(together(queries)) as index:
        for path in found:
            with _told(broken_off):
                index.add(path)
        index.finish()
        results = [_result(index, starts, query, is_forward=forward) for query, starts in _starts(index, queries)]
    if forward and not any(map(is_read_once, found)):
        calls = _each(found, [chain for result in results for chain in result.chains], broken_off)
        for result in results:
            result.calls = calls
    for result in results:
        result.broken_off = tuple(broken_off)
        result.records, result.unreadable = index.records, index.unreadable
    return results


def in_index(path: str, paths: Sequence[str], wanted: Query, *, forward: bool) -> Result:
    """Return what the index that is kept in a file shows, brought up to date with the logs at ``paths``.

    Single calls are the logs' alone: with ``forward``, or where nothing else is named so, the logs are read for them.

    Raises:
        InputError: for a path that names nothing, and an index that cannot be used.
    """
    try:
        found = files.find(paths)
        with told(path), KeptIndex(path, wanted, is_new=bool(found)) as index:
            index.update(found)
            result = _result(index, index.asked(), wanted, is_forward=forward)
            result.records, result.unreadable = index.records, index.unreadable
    except (files.NoFileError, KeptError) as error:
        raise InputError(str(error)) from error
    if forward:
        result.calls = _each(found, result.chains, {})
    return result


def is_read_once(path: str) -> bool:
    """Tell standard input and a pipe: what was read of them is gone, so the single calls of a session are too."""
    return path == files.STANDARD_INPUT or files.is_pipe(path)


@contextmanager
def _told(broken_off: dict[str, None]) -> Iterator[None]:
    """Note a history that ends early, once even where two readings do; what came before it stays."""
    try:
        yield
    except BrokenOffError as error:
        broken_off[str(error)] = None


def _starts(index: logs.LogIndex, queries: Sequence[Query]) -> Iterator[tuple[Query, list[Link]]]:
    asked = index.asked()
    for query in queries:
        # A single query has found all by itself, also by an insert id that a link does not show.
        yield query, asked if len(queries) == 1 else [link for link in asked if query.wants(link)]


def in_ledger(url: str, wanted: Query, *, forward: bool) -> Result:
    """Return what a ledger's sessions show.

    Raises:
        InputError: where there is no such ledger, or it does not answer.
    """
    try:
        with closing(connect(url, is_new=False)) as store:
            return in_store(store, wanted, forward=forward)
    except (LedgerUrlError, UnavailableError) as error:
        raise InputError(str(error)) from error


def in_store(store: Store, wanted: Query, *, forward: bool) -> Result:
    """Return what the sessions of an open ledger show.

    Raises:
        UnavailableError: where it does not answer.
    """
    from callerid.ledger.sessions import Sessions  # noqa: PLC0415  # a trace of logs needs none of it

    index = Sessions(store)
    return _result(index, index.asked(wanted), wanted, is_forward=forward)


def _result(index: Index, starts: list[Link], wanted: Query, *, is_forward: bool) -> Result:
    starts.sort(key=lambda link: (link.last or link.time or "", link.access_id), reverse=True)
    walked = [back(link, index) for link in starts[:MOST]]
    above = {step.link.access_id for one in walked for edge in one.edges for step in steps(edge.step)}
    own = [one for one in walked if one.link.access_id not in above]
    own.sort(key=lambda one: (one.link.time or "", one.link.access_id))
    chains = [show.Chain(one, tuple(_forward(one, index)) if is_forward else ()) for one in own]
    return Result(wanted.text, chains, {}, len(starts) - len(walked))


def _forward(one: Step, index: Index) -> Iterator[Step]:
    """Yield where an issue led; of a call where the session led that it was made with."""
    issues = [one.link] if one.link.is_issue else [found.link for found in behind(one.link, index)]
    return (forward(issue, index) for issue in issues)


def _each(paths: Sequence[str], chains: Iterable[show.Chain], broken_off: dict[str, None]) -> show.Calls:
    """Return each call of the sessions that the chains led to, the earliest first."""
    led = (step.link for chain in chains for one in chain.forward for step in steps(one))
    wanted = frozenset(link.access_id for link in led if link.calls)
    found: dict[str, dict[str, Link]] = {}
    for access_id, call in islice(_calls(paths, wanted, broken_off), _CALLS) if wanted else ():
        found.setdefault(access_id, {})[call.access_id] = call
    return {
        access_id: sorted(calls.values(), key=lambda call: (call.time or "", call.access_id))
        for access_id, calls in found.items()
    }


def _calls(paths: Sequence[str], wanted: frozenset[str], broken_off: dict[str, None]) -> Iterator[tuple[str, Link]]:
    for path in paths:
        with _told(broken_off):
            yield from logs.each([path], wanted)


def shown(result: Result, format_: str, limit: int) -> Iterator[str]:
    """Yield what is printed, line by line."""
    chains = result.chains[:limit]
    if format_ == "dot":
        yield from show.dot(chains)
        return
    for number, chain in enumerate(chains, 1):
        if format_ == "jsonl":
            yield from (row.decode() for row in show.rows(chain, number, result.calls))
            continue
        if number > 1:
            yield ""
        yield from show.tree(chain, result.calls)
    if format_ == "tree" and (count := more(result, limit)):
        yield ""
        yield f"… {count:,} more of {printable(result.named)}; --since, --until and --limit choose among them"


def more(result: Result, limit: int) -> int:
    """Return how many chains there are beside those that are printed."""
    return max(0, len(result.chains) - limit) + result.more
