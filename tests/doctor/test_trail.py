"""Which calls a trail's selectors select."""

import msgspec
import pytest

from callerid.doctor.trail import READ, WRITE, Selectors

MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}


def advanced(*fields: dict) -> dict:
    return {"AdvancedEventSelectors": [{"FieldSelectors": [MANAGEMENT, *fields]}]}


@pytest.mark.parametrize(
    ("selectors", "reads", "writes"),
    [
        ({}, False, False),
        ({"EventSelectors": [{}]}, True, True),
        ({"EventSelectors": [{"ReadWriteType": "ReadOnly"}, {"ReadWriteType": "WriteOnly"}]}, True, True),
        ({"EventSelectors": [{"IncludeManagementEvents": False}]}, False, False),
        ({"EventSelectors": [{"ExcludeManagementEventSources": ["kms.amazonaws.com"]}]}, True, True),
        ({"EventSelectors": [{"ExcludeManagementEventSources": ["sts.amazonaws.com"]}]}, False, False),
        (advanced(), True, True),
        (advanced({"Field": "readOnly", "Equals": ["true"]}), True, False),
        (advanced({"Field": "readOnly", "Equals": ["false"]}), False, True),
        (advanced({"Field": "readOnly", "NotEquals": ["true"]}), False, True),
        (advanced({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}), True, True),
        (advanced({"Field": "eventSource", "NotEquals": ["sts.amazonaws.com"]}), False, False),
        (advanced({"Field": "eventSource", "NotStartsWith": ["sts."]}), False, False),
        (advanced({"Field": "eventName", "StartsWith": ["Assume", "GetFed"]}), True, True),
        (advanced({"Field": "eventName", "EndsWith": ["Role"]}), False, False),
        (advanced({"Field": "eventName", "NotEndsWith": ["Token"]}), True, False),
        (advanced({"Field": "userIdentity.arn", "NotStartsWith": ["arn:aws:sts::1"]}), False, False),
        (
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]},
            False,
            False,
        ),
    ],
)
def test_what_is_selected_only_in_part_is_not_selected(selectors, reads, writes):
    found = msgspec.convert(selectors, Selectors)
    assert (not found.lacks(("AssumeRole", "AssumeRoleWithSAML"), READ)) is reads
    assert (not found.lacks(("AssumeRoot", "GetFederationToken"), WRITE)) is writes
