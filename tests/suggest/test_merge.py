"""What is merged into a book is added: no character that was there changes, and the result is a good policy."""

import pytest

from callerid.policy.book import Book
from callerid.policy.load import parse
from callerid.suggest import draft, merge
from tests.conftest import POLICY, record
from tests.suggest.test_suggest import RECORDS, judged, mixture, seen_of, strays
from tests.suggest.test_together import workflow

HEAD = "# ours\nversion: 1\n"
RELEASE = """callers:
  # the release
  - name: release
    owner: web@example.com # they
    identities:
      - oidc: {issuer: token.actions.githubusercontent.com, subject: "repo:acme/app:ref:x"}
    may_reach: # it reaches:
      - aws_role: arn:aws:iam::111111111111:role/other
        audience: sts.amazonaws.com   # checked

# ---- what is required ----
requirements:
- roles: arn:aws:iam::111111111111:role/other
  source_identity: {mode: warn}
# the end
"""
CALLERS, _, REST = RELEASE.partition("# ----")
WIDE = CALLERS.replace("\n  ", "\n      ") + "# ----" + REST
FLOW = (
    "{version: 1, callers: [{name: release, owner: o, identities: [{oidc: {issuer: token.actions.githubusercontent.com,"
    ' subject: "repo:acme/app:ref:x"}}], may_reach: [{aws_role: "arn:aws:iam::111111111111:role/other"}]}]}\n'
)
RECORDED = [record(), workflow("repo:acme/app:ref:x")]


def merged(tmp_path, text: str, records: list, **more: bool) -> str:
    base = parse(text.encode(), "base")
    seen = seen_of(tmp_path, records, Book(base, ""))
    return merge.merged(text, draft.draft(seen, base, **more), seen)


def is_kept(old: str, new: str) -> bool:
    """Tell whether a text holds every character of another, in its order."""
    rest = iter(new)
    return all(sign in rest for sign in old)


@pytest.mark.parametrize(
    "text",
    [HEAD, HEAD + RELEASE, HEAD + "callers: []\n", HEAD + RELEASE.replace("\n", "\n\n"), FLOW, "---\n" + HEAD + RELEASE,
     HEAD + RELEASE.rstrip("\n"), HEAD + WIDE],
    ids=["empty", "blocks", "an empty list", "blank lines", "braces", "a document's mark", "no last newline", "wide"],
)  # fmt: skip
def test_every_way_of_writing_is_kept(text, tmp_path):
    made = merged(tmp_path, text, RECORDED)
    assert is_kept(text, made)
    assert all(line in made.splitlines() for line in text.splitlines()) or "[" in text.splitlines()[-1]
    assert strays(RECORDED, made) == []
    assert merged(tmp_path, made, RECORDED) == made


@pytest.mark.parametrize("text", [HEAD, HEAD + RELEASE, HEAD + RELEASE.rstrip("\n")], ids=["empty", "blocks", "no end"])
def test_lines_end_as_those_of_the_file_do(text, tmp_path):
    records = [*RECORDED, next(value for name, value in RECORDS if name.startswith("subject-missing:"))]
    made = merged(tmp_path, text.replace("\n", "\r\n"), records)
    assert made.replace("\r\n", "\n") == merged(tmp_path, text, records)
    assert "\n" not in made.replace("\r\n", "")
    assert merged(tmp_path, made, records) == made


def test_comments_stay_where_they_were(tmp_path):
    made = merged(tmp_path, HEAD + RELEASE, RECORDED)
    assert "checked\n      - aws_role: arn:aws:iam::111111111111:role/crosscloud-test # once" in made
    assert made.index("- name: nightly-export") < made.index("# ---- what is required ----\nrequirements:")
    assert made.index("# the end") > made.index("source_identity: {mode: warn}")


@pytest.mark.parametrize("where", ["may_reach: &both", "identities: &both"])
def test_what_two_entries_share_is_not_changed_for_both(where, tmp_path):
    key = where.partition(":")[0]
    text = HEAD + RELEASE.replace(f"{key}:", where)
    base = parse(text.encode(), "base")
    seen = seen_of(tmp_path, [workflow("repo:acme/app:ref:x")], Book(base, ""))
    made = draft.draft(seen, base)
    made.additions[0].identities.append(base.callers[0].identities[0])
    with pytest.raises(merge.CannotMergeError, match="anchor or an alias"):
        merge.merged(text, made, seen)


def test_the_example_gains_what_it_lacks_and_nothing_it_has(tmp_path):
    records = [one for _, one in RECORDS] + mixture(300)
    text = POLICY.read_text()
    made = merged(tmp_path, text, records)
    assert is_kept(text, made)
    old, new = parse(text.encode(), "old"), parse(made.encode(), "new")
    for caller in old.callers:
        kept = next(one for one in new.callers if one.name == caller.name)
        assert (kept.owner, kept.expires) == (caller.owner, caller.expires)
        assert kept.identities[: len(caller.identities)] == caller.identities
        assert kept.may_reach[: len(caller.may_reach)] == caller.may_reach
    assert new.aws_accounts == old.aws_accounts
    assert new.requirements[: len(old.requirements)] == old.requirements


def test_what_a_policy_identified_it_still_does(tmp_path):
    records = [one for _, one in RECORDS]
    text = POLICY.read_text()
    made = merged(tmp_path, text, records)
    for old, new in zip(judged(records, text), judged(records, made), strict=True):
        assert old.verdict != "identified" or new.verdict == "identified"


def test_a_policy_that_lists_everybody_is_not_changed(tmp_path):
    text = HEAD + RELEASE
    ordinary = record(eventName="ListBuckets", eventSource="s3.amazonaws.com")
    assert merged(tmp_path, text, [ordinary]) == text
