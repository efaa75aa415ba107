"""The policy is read strictly: every fault is named with line and column, and nothing is guessed."""

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml

from callerid.policy.load import PolicyError, parse

HEAD = "version: 1\ncallers:\n  - name: a\n    owner: o@example.com\n    identities:\n"
AN_IDENTITY = '      - google_service_account: "100000000000000000001"\n'
SCHEMA = json.loads(files("callerid").joinpath("policy/schema.json").read_text())
PROVIDER = "projects/1/locations/global/workloadIdentityPools/p/providers/q"

GOOD = {
    "the least": "version: 1\n",
    "any group of one's own server": HEAD
    + "      - oidc: {issuer: gitlab.example.com, subject: 'project_path:*/deploy:ref_type:branch:ref:main'}\n",
    "users of an identity pool": HEAD
    + (
        "      - oidc: {issuer: cognito-identity.amazonaws.com, subject: 'us-east-1:*'}\n"
        "    may_reach: [{aws_role: 'arn:aws:iam::111111111111:role/r', audience: 'us-east-1:00000000-0000-4000-8000-000000000001'}]\n"
    ),
    "one caller": HEAD + AN_IDENTITY,
    "accounts without quotes keep their digits": "version: 1\naws_accounts: [012345678901]\n",
    "off is a word": (
        "version: 1\nrequirements:\n  - roles: arn:aws:iam::111111111111:role/r\n    source_identity: {mode: off}\n"
    ),
    "one role or several": (
        "version: 1\nrequirements:\n  - roles: [arn:aws:iam::111111111111:role/r, 'arn:aws:iam::111111111111:role/s*']\n"
        "    session_name: {mode: warn, equals: caller, matches: '[a-z]+'}\n"
    ),
    "a glob that names an owner": HEAD
    + "      - oidc: {issuer: token.actions.githubusercontent.com, subject: 'repo:acme/*'}\n",
    "a project's agents": HEAD
    + "      - principal: principal://agents.global.org-1.system.id.goog/resources/aiplatform/projects/1/*\n",
    "globs that name whose they are": HEAD
    + "      - oidc: {issuer: gitlab.com, subject: 'project_path:acme/*:ref_type:branch:ref:main'}\n"
    + "      - oidc: {issuer: app.terraform.io, subject: 'organization:acme:project:prod:*'}\n"
    + "      - oidc: {issuer: agent.buildkite.com, subject: 'organization:acme:pipeline:*'}\n"
    + "      - google_user: '*@example.com'\n"
    + AN_IDENTITY
    + "        email: 'deploy-*@acme.iam.gserviceaccount.com'\n",
    "an entry that expires": HEAD.replace("    identities", "    expires: 2027-03-31\n    identities") + AN_IDENTITY,
    "every reach": HEAD
    + AN_IDENTITY
    + "    may_reach:\n      - {aws_role: arn:aws:iam::111111111111:role/r, oaud: x, audience: y}\n"
    + f"      - {{service_account: s@p.iam.gserviceaccount.com, provider: {PROVIDER}}}\n"
    + "      - resource: projects/_/buckets/b/*\n",
    "one channel for all": "version: 1\nchannels: [{channel: C0123456789}]\n",
    "every condition, and the rest": (
        "version: 1\nchannels:\n"
        "  - {channel: '#web', at_least: high, owners: '*@example.com', accounts: my-project, mention: S0123456789}\n"
        "  - {channel: G0123456789, owners: [a, b], accounts: ['012345678901', 'example.com:old', '987654']}\n"
        "  - {channel: '#größe_2-日本'}\n"
    ),
}

BAD = {
    "empty": ("", "1:1: the policy is empty"),
    "no YAML": ("version: [1\n", "2:1: not YAML"),
    "not UTF-8": (b"version: \xff\n", "1:1: expected UTF-8"),
    "a list": ("- a\n", "1:1: the policy: expected a mapping, got a list"),
    "no version": ("callers: []\n", "1:1: the policy: 'version' must be given"),
    "another version": ("version: 2\n", "1:10: version: expected 1, got '2'"),
    "an unknown key": ("version: 1\ncaller: []\n", "2:1: the policy: unknown key 'caller'; did you mean 'callers'?"),
    "a key twice": ("version: 1\nversion: 1\n", "2:1: the policy: 'version' is given twice"),
    "no owner": ("version: 1\ncallers:\n  - name: a\n    identities: []\n", "3:5: callers: 'owner' must be given"),
    "no value": ("version: 1\ncallers:\n  - name:\n    owner: o\n    identities: []\n", "3:10: name: expected text, got nothing"),
    "no identities": (HEAD.replace("identities:", "identities: []"), "5:17: a: expected at least one identity"),
    "two forms": (HEAD + AN_IDENTITY + "        google_user: a@example.com\n", "got google_service_account and google_user"),
    "no form": (HEAD + "      - email: a@example.com\n", "6:9: expected exactly one of google_service_account"),
    "an unknown form": (HEAD + "      - aws_rol: x\n", "6:9: identities: unknown key 'aws_rol'; did you mean 'aws_role'?"),
    "an address for a unique id": (HEAD + "      - google_service_account: a@example.com\n", "6:33: google_service_account: expected the unique id"),
    "any account": (HEAD + "      - aws_role: arn:aws:iam::*:role/r\n", "6:19: aws_role: expected arn:aws:iam::ACCOUNT:role/NAME"),
    "an email beside a role": (HEAD + "      - aws_role: arn:aws:iam::111111111111:role/r\n        email: a@example.com\n", "7:16: email stands only beside"),
    "everybody on GitHub": (HEAD + "      - oidc: {issuer: token.actions.githubusercontent.com, subject: 'repo:*'}\n", "would match everybody of a shared issuer"),
    "everybody's environment": (HEAD + "      - oidc: {issuer: token.actions.githubusercontent.com, subject: 'repo:*:environment:production'}\n", "would match everybody"),
    "everybody with a mailbox": (HEAD + "      - google_user: '*@gmail.com'\n", "would match everybody"),
    "every pool": (HEAD + "      - principal: principal://iam.googleapis.com/*/subject/*\n", "would match everybody"),
    "any owner's environment": (HEAD + "      - oidc: {issuer: token.actions.githubusercontent.com, subject: '*:environment:prod'}\n", "would match everybody"),
    "any owner's app": (HEAD + "      - oidc: {issuer: token.actions.githubusercontent.com, subject: 'repo:*/app:ref:refs/heads/main'}\n", "would match everybody"),
    "any group's project": (HEAD + "      - oidc: {issuer: gitlab.com, subject: 'project_path:*/deploy:ref_type:branch:ref:main'}\n", "would match everybody"),
    "a group that only begins so": (HEAD + "      - oidc: {issuer: 'https://gitlab.com', subject: 'project_path:acme*'}\n", "would match everybody"),
    "any organisation's workspace": (HEAD + "      - oidc: {issuer: app.terraform.io, subject: 'organization:*:project:prod:*'}\n", "would match everybody"),
    "any organisation's pipeline": (HEAD + "      - oidc: {issuer: agent.buildkite.com, subject: 'organization:*:pipeline:deploy:*'}\n", "would match everybody"),
    "any team's project": (HEAD + "      - oidc: {issuer: oidc.vercel.com, subject: 'owner:*:project:web:*'}\n", "would match everybody"),
    "Google's numbers": (HEAD + "      - oidc: {issuer: accounts.google.com, subject: '1*'}\n", "would match everybody"),
    "everybody of Cognito": (HEAD + "      - oidc: {issuer: cognito-identity.amazonaws.com, subject: 'eu-west-1:*'}\n    may_reach: [{aws_role: 'arn:aws:iam::111111111111:role/r'}]\n", "the identity pool as audience"),
    "any cluster": (HEAD + "      - gke: '*.svc.id.goog[prod/app]'\n", "would match everybody"),
    "any pool's alice": (HEAD + "      - principal: principal://iam.googleapis.com/projects/*/locations/global/workloadIdentityPools/p/subject/alice\n", "would match everybody"),
    "any project's agents": (HEAD + "      - principal: principal://agents.global.org-123456789012.system.id.goog/resources/aiplatform/projects/*\n", "would match everybody"),
    "any organisation's agent": (HEAD + "      - principal: principal://agents.global.org-*.system.id.goog/resources/aiplatform/projects/1/locations/l/reasoningEngines/7\n", "principal: expected principal://"),
    "any issuer": (HEAD + "      - oidc: {issuer: 'https://*.example.com', subject: s}\n", "a pattern can't stand for an issuer"),
    "a block's last line end": (HEAD + "      - oidc:\n          issuer: i.example.com\n          subject: |\n            s\n", "8:20: subject: expected no blank or line's end around it, got 's\\n'"),
    "a blank that is copied with it": (HEAD + "      - aws_role: 'arn:aws:iam::111111111111:role/r '\n", "6:19: aws_role: expected no blank"),
    "nothing but a blank": (HEAD.replace("owner: o@example.com", "owner: ' '") + AN_IDENTITY, "4:12: owner: expected text, got nothing"),
    "whoever has such a mailbox": (HEAD + "      - google_user: 'kim*@gmail.com'\n", "would match everybody"),
    "any domain's mailbox": (HEAD + "      - google_user: 'admin@*.com'\n", "would match everybody"),
    "any project's account": (HEAD + AN_IDENTITY + "        email: 'deploy@*.iam.gserviceaccount.com'\n", "would match everybody"),
    "any project's default account": (HEAD + AN_IDENTITY + "        email: '*-compute@developer.gserviceaccount.com'\n", "would match everybody"),
    "any provider": (HEAD + AN_IDENTITY + "    may_reach:\n      - {resource: x, provider: '*'}\n", "8:33: provider: a pattern can stand"),
    "a provider as a credential file spells it": (HEAD + AN_IDENTITY + f"    may_reach:\n      - {{resource: x, provider: //iam.googleapis.com/{PROVIDER}}}\n", "8:33: provider: expected projects/NUMBER/"),
    "a provider by its project's name": (HEAD + AN_IDENTITY + f"    may_reach:\n      - {{service_account: s@p.iam.gserviceaccount.com, provider: {PROVIDER.replace('/1/', '/my-gcp-project/')}}}\n", "provider: expected projects/NUMBER/"),
    "any audience": (HEAD + AN_IDENTITY + "    may_reach:\n      - {resource: x, audience: 'sts.*'}\n", "8:33: audience: compared as it stands"),
    "a date without dashes": (HEAD.replace("    identities", "    expires: 20270331\n    identities") + AN_IDENTITY, "5:14: expires: expected a date"),
    "an account that is none": ("version: 1\nrequirements:\n  - service_accounts: nonsense\n    origin: {mode: warn}\n", "3:23: service_accounts: expected"),
    "no end of nesting": ("version: " + "[" * 20_000 + "]" * 20_000, "1:1: nested 20,001 deep"),
    "the same identity twice": (HEAD + AN_IDENTITY + HEAD.partition("callers:\n")[2].replace("name: a", "name: b") + AN_IDENTITY, "10:9: this identity is 'a''s already"),
    "the same name twice": (HEAD + AN_IDENTITY + HEAD.partition("callers:\n")[2] + AN_IDENTITY, "7:11: the name 'a' is another entry's already"),
    "a date that is none": (HEAD.replace("    identities", "    expires: soon\n    identities") + AN_IDENTITY, "5:14: expires: expected a date such as 2027-03-31, got 'soon'"),
    "two targets": (HEAD + AN_IDENTITY + "    may_reach:\n      - {aws_role: arn:aws:iam::111111111111:role/r, resource: x}\n", "got aws_role and resource"),
    "oaud at Google": (HEAD + AN_IDENTITY + "    may_reach:\n      - {resource: x, oaud: y}\n", "oaud stands only beside aws_role"),
    "a subject at Google without its provider": (HEAD + "      - oidc: {issuer: i.example.com, subject: s}\n    may_reach:\n      - resource: x\n", "give the `provider` of its may_reach"),
    "a mode that is none": ("version: 1\nrequirements:\n  - roles: arn:aws:iam::111111111111:role/r\n    source_identity: {mode: enforced}\n", "4:29: mode: did you mean 'enforce'?, got 'enforced'"),
    "a bad pattern": ("version: 1\nrequirements:\n  - roles: arn:aws:iam::111111111111:role/r\n    source_identity: {mode: warn, matches: '('}\n", "4:44: matches: not a regular expression"),
    "nothing required": ("version: 1\nrequirements:\n  - roles: arn:aws:iam::111111111111:role/r\n", "3:5: expected source_identity, session_name or role_claim"),
    "nobody named": ("version: 1\nrequirements:\n  - source_identity: {mode: warn}\n", "3:5: expected exactly one of roles, service_accounts"),
    "an origin of a role": ("version: 1\nrequirements:\n  - roles: arn:aws:iam::111111111111:role/r\n    origin: {mode: warn}\n", "3:5"),
    "no channel at all": ("version: 1\nchannels: []\n", "2:11: channels: expected at least one entry"),
    "findings left over": ("version: 1\nchannels:\n  - {channel: '#web', at_least: low}\n", "3:5: the last entry must have no conditions"),
    "a channel that nothing reaches": ("version: 1\nchannels:\n  - {channel: '#web', mention: S0123456789}\n  - {channel: '#rest'}\n", "3:5: #web takes every finding, so no entry after it is reached"),
    "a severity that lets all through": ("version: 1\nchannels:\n  - {channel: '#web', at_least: informational}\n  - {channel: '#rest'}\n", "3:5: #web takes every finding"),
    "a channel without quotes": ("version: 1\nchannels:\n  - channel: #web\n", "3:13: channel: expected text, got nothing"),
    "a channel without its sign": ("version: 1\nchannels:\n  - channel: web\n", "3:14: channel: expected a channel's id"),
    "a person's messages": ("version: 1\nchannels:\n  - channel: D0123456789\n", "3:14: channel: expected a channel's id"),
    "a channel that no channel can be called": ("version: 1\nchannels:\n  - channel: '#Web'\n", "3:14: channel: expected a channel's id"),
    "a channel that would ping": ("version: 1\nchannels:\n  - channel: '#<!channel>'\n", "3:14: channel: expected a channel's id"),
    "no channel given": ("version: 1\nchannels:\n  - at_least: low\n", "3:5: channels: 'channel' must be given"),
    "a severity that is none": ("version: 1\nchannels:\n  - {channel: '#web', at_least: hihg}\n", "3:33: at_least: did you mean 'high'?, got 'hihg'"),
    "no owner given": ("version: 1\nchannels:\n  - {channel: '#web', owners: []}\n  - channel: '#rest'\n", "3:31: owners: expected at least one"),
    "no account given": ("version: 1\nchannels:\n  - {channel: '#web', accounts: []}\n  - channel: '#rest'\n", "3:33: accounts: expected at least one"),
    "any account's log": ("version: 1\nchannels:\n  - {channel: '#web', accounts: '*'}\n  - channel: '#rest'\n", "3:33: accounts: expected an AWS account or a Google project"),
    "a mention of everybody": ("version: 1\nchannels:\n  - {channel: '#web', mention: here}\n", "3:32: mention: expected a user group's id"),
    "a condition that is none": ("version: 1\nchannels:\n  - {channel: '#web', owner: a}\n", "3:23: channels: unknown key 'owner'; did you mean 'owners'?"),
    "an account of eleven digits": ("version: 1\naws_accounts: ['11111111111']\n", "2:15: aws_accounts: expected twelve digits"),
}  # fmt: skip
NOT_IN_A_SCHEMA = {
    "any owner's environment", "any owner's app", "any cluster", "any pool's alice", "any project's agents", "any issuer", "any provider",
    "a provider as a credential file spells it", "a provider by its project's name",
    "whoever has such a mailbox", "any domain's mailbox", "any project's account",
    "any project's default account",
    "any group's project", "a group that only begins so", "any organisation's workspace", "any organisation's pipeline",
    "any team's project", "Google's numbers", "everybody of Cognito",
    "any audience", "no end of nesting",
    "a key twice", "the same identity twice", "the same name twice", "everybody on GitHub", "everybody's environment",
    "everybody with a mailbox", "every pool", "a subject at Google without its provider",
    "findings left over", "a channel that nothing reaches", "a severity that lets all through",
}  # fmt: skip
"""Faults that a JSON Schema cannot state; the loader finds them all the same."""


@pytest.mark.parametrize("name", GOOD)
def test_a_good_policy_is_read_and_its_schema_agrees(name):
    parse(GOOD[name].encode(), "policy.yaml")
    jsonschema.validate(_as_an_editor_sees_it(GOOD[name]), SCHEMA)


@pytest.mark.parametrize("name", BAD)
def test_a_fault_is_named_with_its_place(name):
    text, message = BAD[name]
    with pytest.raises(PolicyError) as raised:
        parse(text if isinstance(text, bytes) else text.encode(), "policy.yaml")
    assert f"policy.yaml:{message}" in str(raised.value) or message in str(raised.value)
    assert all(line.startswith("policy.yaml:") for line in str(raised.value).splitlines())


@pytest.mark.parametrize("name", sorted(BAD.keys() - NOT_IN_A_SCHEMA - {"empty", "no YAML", "not UTF-8"}))
def test_the_schema_refuses_what_the_loader_refuses(name):
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    assert not validator.is_valid(_as_an_editor_sees_it(BAD[name][0]))


def test_all_faults_are_named_at_once():
    text = "version: 2\ncaller: []\naws_accounts: [1]\n"
    with pytest.raises(PolicyError) as raised:
        parse(text.encode(), "p")
    assert len(raised.value.faults) == 2


@pytest.mark.parametrize("path", ["examples/policy.yaml", "tests/cases/policy.yaml"])
def test_the_policies_of_the_project_are_good(path):
    text = Path(path).read_text()
    parse(text.encode(), path)
    jsonschema.validate(_as_an_editor_sees_it(text), SCHEMA)


def _as_an_editor_sees_it(text: str) -> object:
    """Read YAML 1.2 as an editor's language server does: words stay words, dates and long digits are text."""
    return _plain(yaml.compose(text))


def _plain(node: yaml.Node) -> object:
    match node:
        case yaml.MappingNode():
            return {key.value: _plain(value) for key, value in node.value}
        case yaml.SequenceNode():
            return [_plain(item) for item in node.value]
        case _:
            return int(node.value) if node.value in ("1", "2") else node.value or None
