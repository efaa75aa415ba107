"""The rules of a store, for each of the three: SQLite, DynamoDB, Firestore."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from callerid.ledger.store import ConflictError, Key, Store, UnavailableError, Write

ONE, TWO, THREE = Key("p", "1"), Key("p", "2"), Key("q", "1")
ODD = ["#", "/", "a/b", "//", ".", "..", ".0", ".1", "__x__", "__", "_0", " ", "a b", "%", "%2F", ":", "~", "-", "'\"\\", "*?[", "0", "A", "a"]  # fmt: skip


def put(store: Store, key: Key, data: bytes, **options: object) -> None:
    """Write a row, whatever is there."""
    found = store.read([key]).get(key)
    store.commit([Write(key, data, found.version if found else None, **options)])


def fill(store: Store, rows: dict[Key, bytes]) -> None:
    """Write new rows, one by one: in a transaction moto copies the whole table for each."""
    for key, data in rows.items():
        store.commit([Write(key, data, None)])


def data_of(store: Store, *keys: Key) -> list[bytes | None]:
    """The data of rows, None for an absent one."""
    rows = store.read(keys)
    return [rows[key].data if key in rows else None for key in keys]


def version_of(store: Store, key: Key) -> object:
    """The version of a row that is there."""
    return store.read([key])[key].version


def test_an_absent_row_is_left_out(store):
    put(store, ONE, b"{}")
    assert list(store.read([TWO, ONE, THREE])) == [ONE]


def test_nothing_asked_is_nothing_read_and_nothing_written(store):
    assert store.read([]) == {}
    store.commit([])


def test_a_key_may_be_asked_twice(store):
    put(store, ONE, b"{}")
    assert list(store.read([ONE, TWO, ONE])) == [ONE]


def test_what_was_written_is_read(store):
    store.commit([Write(ONE, b"1", None), Write(THREE, b"3", None)])
    assert data_of(store, ONE, TWO, THREE) == [b"1", None, b"3"]


def test_a_row_is_replaced_as_a_whole(store):
    put(store, ONE, b'{"a": 1, "b": 2}', expires=2_000_000_000)
    put(store, ONE, b'{"c": 3}')
    assert data_of(store, ONE) == [b'{"c": 3}']


def test_several_rows_are_replaced_at_once(store):
    store.commit([Write(ONE, b"1", None), Write(THREE, b"3", None)])
    store.commit([Write(key, b"new", row.version) for key, row in store.read([ONE, THREE]).items()])
    assert data_of(store, ONE, THREE) == [b"new", b"new"]


def test_a_row_that_is_there_cannot_be_made(store):
    put(store, ONE, b"first")
    with pytest.raises(ConflictError):
        store.commit([Write(ONE, b"second", None)])
    assert data_of(store, ONE) == [b"first"]


def test_a_stale_version_is_a_conflict(store):
    put(store, ONE, b"first")
    stale = version_of(store, ONE)
    put(store, ONE, b"second")
    with pytest.raises(ConflictError):
        store.commit([Write(ONE, b"third", stale)])
    assert data_of(store, ONE) == [b"second"]


def test_a_row_that_is_gone_cannot_be_replaced(store):
    put(store, ONE, b"first")
    stale = version_of(store, ONE)
    store.commit([Write(ONE, None, stale)])
    with pytest.raises(ConflictError):
        store.commit([Write(ONE, b"second", stale)])
    assert data_of(store, ONE) == [None]


def test_a_row_that_was_made_again_is_another(store):
    put(store, ONE, b"same")
    stale = version_of(store, ONE)
    store.commit([Write(ONE, None, stale)])
    put(store, ONE, b"same")
    with pytest.raises(ConflictError):
        store.commit([Write(ONE, b"second", stale)])


def test_a_deleted_row_is_absent(store):
    store.commit([Write(ONE, b"1", None), Write(TWO, b"2", None)])
    store.commit([Write(ONE, None, version_of(store, ONE))])
    assert data_of(store, ONE, TWO) == [None, b"2"]
    assert [sort for sort, _ in store.list("p")] == ["2"]


def test_a_stale_delete_is_a_conflict(store):
    put(store, ONE, b"first")
    stale = version_of(store, ONE)
    put(store, ONE, b"second")
    with pytest.raises(ConflictError):
        store.commit([Write(ONE, None, stale)])
    assert data_of(store, ONE) == [b"second"]


def test_a_delete_where_no_row_must_be_asks_that_there_is_none(store):
    store.commit([Write(ONE, None, None), Write(TWO, b"2", None)])
    with pytest.raises(ConflictError):
        store.commit([Write(ONE, b"1", None), Write(TWO, None, None)])
    assert data_of(store, ONE, TWO) == [None, b"2"]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("odd", ["made twice", "stale", "stale delete"])
def test_one_conflict_and_nothing_is_written(store, odd, place):
    put(store, ONE, b"first")
    stale = None if odd == "made twice" else version_of(store, ONE)
    put(store, ONE, b"second")
    put(store, THREE, b"kept")
    writes = [Write(TWO, b"2", None), Write(THREE, None, version_of(store, THREE))]
    writes.insert(place, Write(ONE, None if odd == "stale delete" else b"third", stale))
    with pytest.raises(ConflictError):
        store.commit(writes)
    assert data_of(store, ONE, TWO, THREE) == [b"second", None, b"kept"]


def test_a_partition_is_listed_in_order_and_alone(store):
    for partition in ("p", "pp", "P", "q"):
        store.commit([Write(Key(partition, sort), sort.encode(), None) for sort in ("b", "a", "10", "9", "aa", "B")])
    assert [(sort, row.data) for sort, row in store.list("p")] == [
        (sort, sort.encode()) for sort in ("10", "9", "B", "a", "aa", "b")
    ]
    assert list(store.list("absent")) == []


def test_a_list_begins_behind_after_whether_or_not_that_row_is_there(store):
    store.commit([Write(Key("p", sort), b"{}", None) for sort in ("a", "b", "c")])
    assert [[sort for sort, _ in store.list("p", after=after)] for after in ("", "a", "aa", "c", "d")] == [
        ["a", "b", "c"], ["b", "c"], ["b", "c"], [], [],
    ]  # fmt: skip


def test_a_listed_row_can_be_replaced(store):
    put(store, ONE, b"first")
    for sort, row in store.list("p"):
        store.commit([Write(Key("p", sort), b"second", row.version)])
    assert data_of(store, ONE) == [b"second"]


def test_a_list_goes_on_over_pages(store):
    rows = {Key("p", f"{number:03}"): b"%05d" % number * 1024 for number in range(320)}
    fill(store, rows)
    assert [(Key("p", sort), row.data) for sort, row in store.list("p")] == list(rows.items())
    assert [sort for sort, _ in store.list("p", after="009")] == [f"{number:03}" for number in range(10, 320)]


def test_a_list_may_be_left_early(store):
    store.commit([Write(Key("p", sort), b"{}", None) for sort in ("a", "b", "c")])
    assert next(iter(store.list("p")))[0] == "a"
    put(store, Key("p", "d"), b"{}")


@pytest.mark.parametrize("part", [0, 1])
def test_keys_may_have_any_printable_ascii_and_keep_its_order(store, part):
    names = [*ODD, *(name + "x" for name in ODD), "x" * 200, "/" * 200, "_" * 200, "." * 200]
    keys = [Key(*(("p", name) if part else (name, "s"))) for name in names]
    store.commit([Write(key, key[part].encode(), None) for key in keys])
    assert {key: row.data for key, row in store.read(keys).items()} == {key: key[part].encode() for key in keys}
    if part:
        assert [sort for sort, _ in store.list("p")] == sorted(names)
        assert [[sort for sort, _ in store.list("p", after=name)] for name in ODD] == [
            sorted(other for other in names if other > name) for name in ODD
        ]
    else:
        assert [[sort for sort, _ in store.list(name)] for name in names] == [["s"]] * len(names)


@pytest.mark.parametrize("data", [b"", b"x" * 100_000, 'Zoë \u202e \U0001f9ed "\\u0000" \r\n\t'.encode()])
def test_data_comes_back_as_it_was(store, data):
    put(store, ONE, data)
    assert data_of(store, ONE) == [data]
    assert [row.data for _, row in store.list("p")] == [data]


def test_many_keys_are_read_at_once(store):
    rows = {Key(f"id {number}", "-"): b"%d" % number for number in range(450)}
    fill(store, {key: data for key, data in rows.items() if int(data) % 2})
    assert {key: row.data for key, row in store.read(list(rows)).items()} == {
        key: data for key, data in rows.items() if int(data) % 2
    }


def test_as_many_rows_as_promised_are_written_at_once(store):
    writes = [Write(Key("p", f"{number:05}"), b"{}", None) for number in range(store.most_writes)]
    store.commit(writes)
    assert [sort for sort, _ in store.list("p")] == [write.key.sort for write in writes]
    with pytest.raises(ConflictError):
        store.commit([Write(Key("q", "1"), b"{}", None), *writes[1:]])
    assert list(store.list("q")) == []


@pytest.mark.parametrize("expires", [None, 4_000_000_000, 1_000_000_000])
def test_when_a_row_may_go_does_not_hide_it(store, expires):
    put(store, ONE, b"first", expires=expires)
    assert data_of(store, ONE) == [b"first"]
    put(store, ONE, b"second", expires=expires)
    assert [row.data for _, row in store.list("p")] == [b"second"]


def test_a_row_may_stay_after_all(store):
    put(store, ONE, b"first", expires=4_000_000_000)
    put(store, ONE, b"second")
    assert data_of(store, ONE) == [b"second"]


def test_of_two_that_make_a_row_one_wins(store):
    """Each attempt is one row alone, then one among others: a plain write, then a transaction."""
    together = Barrier(2)

    def attempt(name: bytes, number: int, others: int) -> str:
        rows = [Write(Key("p", f"{number}"), name, None)]
        rows += [Write(Key(name.decode(), f"{number} {other}"), name, None) for other in range(others)]
        together.wait(30)
        try:
            store.commit(rows)
        except ConflictError:
            return "lost"
        return name.decode()

    def race(name: bytes) -> list[str]:
        return [attempt(name, number, number % 2) for number in range(20)]

    with ThreadPoolExecutor(2) as pool:
        results = list(zip(*pool.map(race, [b"a", b"b"]), strict=True))
    winners = {sort: row.data.decode() for sort, row in store.list("p")}
    assert [sorted(result) for result in results] == [sorted([winners[f"{n}"], "lost"]) for n in range(20)]
    assert Counter(row.data.decode() for name in "ab" for _, row in store.list(name)) == Counter(
        winners[f"{n}"] for n in range(1, 20, 2)
    )


def test_what_two_count_at_once_adds_up(store):
    def count(_: int) -> None:
        done = 0
        while done < 50:
            row = store.read([ONE]).get(ONE)
            data = str(int(row.data) + 1 if row else 1).encode()
            try:
                store.commit([Write(ONE, data, row.version if row else None)])
            except ConflictError:
                continue
            done += 1

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, range(2)))
    assert data_of(store, ONE) == [b"100"]


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.read([ONE]),
        lambda store: list(store.list("p")),
        lambda store: store.commit([Write(ONE, b"{}", None)]),
        lambda store: store.commit([Write(ONE, None, None)]),
        lambda store: store.commit([Write(ONE, b"{}", None), Write(TWO, b"{}", None)]),
    ],
    ids=["read", "list", "write", "delete", "write two"],
)
def test_a_store_that_does_not_answer_is_unavailable_and_named(broken, use):
    store, name = broken
    with pytest.raises(UnavailableError, match=name):
        use(store)
