"""Where a finding goes: the first entry of ``channels`` whose conditions all hold takes it."""

from __future__ import annotations

from callerid.judgement import Severity
from callerid.names import glob
from callerid.policy.model import ChannelRule


def takes(rule: ChannelRule, owner: str | None, account: str | None, severity: Severity) -> bool:
    """Tell whether all conditions of an entry hold. What a finding does not have meets no condition on it."""
    if rule.at_least is not None and severity.rank < Severity(rule.at_least).rank:
        return False
    if rule.owners is not None and not (owner and any(glob.matches(listed, owner) for listed in rule.owners)):
        return False
    return rule.accounts is None or account in rule.accounts


def takes_all(rule: ChannelRule) -> bool:
    """Tell an entry that every finding meets: the last must be one, so that none is left over."""
    least = rule.at_least is None or Severity(rule.at_least) is Severity.INFORMATIONAL
    return least and rule.owners is None and rule.accounts is None
