"""What holds for the ledger in DynamoDB alone: what is asked, what it costs, and what its refusals mean."""

import json

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError, ReadTimeoutError

from callerid.ledger.dynamodb import DynamoStore, table_definition, time_to_live
from callerid.ledger.store import ConflictError, Key, RefusedError, UnavailableError, Write
from tests.conftest import ROOT

ONE, TWO = Key("p", "1"), Key("p", "2")


class FakeClient:
    """Answers from a list, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __getattr__(self, action):
        def call(**request):
            self.asked.append((action, request))
            answer = self.answers.pop(0) if self.answers else {}
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def refusal(code: str, message: str = "", reasons: list[str] | None = None) -> ClientError:
    """What boto3 raises when AWS refuses."""
    response = {"Error": {"Code": code, "Message": message}}
    if reasons is not None:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "Action")


def item(key: Key) -> dict:
    """A row as DynamoDB answers it."""
    return {"p": {"S": key.partition}, "s": {"S": key.sort}, "d": {"S": "{}"}, "v": {"N": "7"}}


def asked(*writes: Write) -> list:
    """What a commit asks, with the new version as 9."""
    client = FakeClient()
    DynamoStore(client, "t").commit(writes)
    [(action, request)] = client.asked
    for part in [request, *(part for change in request.get("TransactItems", []) for part in change.values())]:
        if "Item" in part:
            assert int(part["Item"]["v"]["N"]) >= 0
            part["Item"]["v"]["N"] = "9"
    return [action, request]


NEW = {
    "TableName": "t",
    "ConditionExpression": "attribute_not_exists(p)",
    "Item": {"p": {"S": "p"}, "s": {"S": "1"}, "d": {"S": "{}"}, "v": {"N": "9"}, "x": {"N": "5"}},
}
GONE = {
    "TableName": "t",
    "ConditionExpression": "v = :v",
    "ExpressionAttributeValues": {":v": {"N": "7"}},
    "Key": {"p": {"S": "p"}, "s": {"S": "2"}},
}


def test_a_row_alone_is_no_transaction_which_would_cost_twice():
    assert asked(Write(ONE, b"{}", None, expires=5)) == [
        "put_item",
        NEW | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
    ]
    assert asked(Write(TWO, None, "7")) == ["delete_item", GONE]


def test_several_rows_are_one_transaction():
    writes = Write(ONE, b"{}", None, expires=5), Write(TWO, None, "7")
    assert asked(*writes) == ["transact_write_items", {"TransactItems": [{"Put": NEW}, {"Delete": GONE}]}]


def test_the_time_to_live_is_set_and_taken_back(dynamodb, table):
    def raw():
        client = boto3.client("dynamodb")
        answer = client.get_item(TableName=table, Key={"p": {"S": "p"}, "s": {"S": "1"}})["Item"]
        client.close()
        return {name: value for name, value in answer.items() if name != "v"}

    dynamodb.commit([Write(ONE, b'{"a": 1}', None, expires=2_000_000_000)])
    assert raw() == {"p": {"S": "p"}, "s": {"S": "1"}, "d": {"S": '{"a": 1}'}, "x": {"N": "2000000000"}}
    dynamodb.commit([Write(ONE, b"{}", dynamodb.read([ONE])[ONE].version)])
    assert raw() == {"p": {"S": "p"}, "s": {"S": "1"}, "d": {"S": "{}"}}


def test_keys_left_unprocessed_are_asked_again_after_a_pause():
    left = {"t": {"Keys": [{"p": {"S": "p"}, "s": {"S": "2"}}], "ConsistentRead": True}}
    client = FakeClient({"Responses": {"t": [item(ONE)]}, "UnprocessedKeys": left}, {"Responses": {"t": [item(TWO)]}})
    waits = []
    assert list(DynamoStore(client, "t", sleep=waits.append).read([ONE, TWO])) == [ONE, TWO]
    assert [request["RequestItems"] for _, request in client.asked][1] == left
    assert waits == [0.05]


def test_keys_that_stay_unprocessed_are_no_absent_rows():
    left = {"t": {"Keys": [{"p": {"S": "p"}, "s": {"S": "1"}}]}}
    client = FakeClient(*[{"Responses": {}, "UnprocessedKeys": left}] * 6)
    with pytest.raises(UnavailableError) as raised:
        DynamoStore(client, "t", sleep=lambda _: None).read([ONE])
    assert str(raised.value) == "DynamoDB table t: BatchGetItem leaves keys unprocessed"


CONFLICTS = {
    "a row was there": refusal("ConditionalCheckFailedException"),
    "a transaction is under way": refusal("TransactionConflictException"),
    "in a transaction": refusal("TransactionCanceledException", reasons=["None", "ConditionalCheckFailed"]),
    "two transactions": refusal("TransactionCanceledException", reasons=["TransactionConflict", "None"]),
    "and throttled": refusal("TransactionCanceledException", reasons=["ThrottlingError", "ConditionalCheckFailed"]),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_failed_condition_is_a_conflict(name):
    with pytest.raises(ConflictError):
        DynamoStore(FakeClient(CONFLICTS[name]), "t").commit([Write(ONE, b"{}", None)])


TOLD = [
    (refusal("ThrottlingException", "slow down"), "ThrottlingException"),
    (refusal("ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
    (refusal("InternalServerError"), "InternalServerError"),
    (refusal("TransactionCanceledException", reasons=["None", "ThrottlingError"]), "ThrottlingError"),
    (refusal("TransactionCanceledException"), "TransactionCanceledException"),
    (refusal("AccessDeniedException", "not authorized to perform"), "AccessDeniedException: not authorized to perform"),
    (refusal("ResourceNotFoundException", "not found"), "ResourceNotFoundException: not found"),
    (refusal("ValidationException", "Item size exceeded"), "ValidationException: Item size exceeded"),
    (refusal("InvalidSignatureException", "x-amz-security-token:SECRET"), "InvalidSignatureException"),
    (ReadTimeoutError(endpoint_url="https://x"), 'Read timeout on endpoint URL: "https://x"'),
]


@pytest.mark.parametrize(("error", "told"), TOLD)
def test_any_other_refusal_is_told_with_table_and_action_and_no_secret(error, told):
    with pytest.raises(UnavailableError) as raised:
        DynamoStore(FakeClient(error), "t").commit([Write(ONE, b"{}", None), Write(TWO, b"{}", None)])
    assert str(raised.value) == f"DynamoDB table t: TransactWriteItems: {told}"
    assert "SECRET" not in repr(raised.getrepr(chain=True))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("ValidationException", "Item size exceeded"), RefusedError),
        (refusal("TransactionCanceledException", reasons=["None", "ValidationError"]), RefusedError),
        (refusal("ThrottlingException"), UnavailableError),
    ],
)
def test_what_the_table_never_takes_is_told_from_what_it_does_not_take_now(error, kind):
    with pytest.raises(UnavailableError) as raised:
        DynamoStore(FakeClient(error), "t").commit([Write(ONE, b"{}", None), Write(TWO, b"{}", None)])
    assert raised.type is kind


def test_a_table_that_is_not_there_is_told(aws):
    store = DynamoStore.connect("missing")
    with pytest.raises(
        UnavailableError, match=r"DynamoDB table missing: Query: ResourceNotFoundException: .*not found"
    ):
        list(store.list("p"))
    store.close()


def test_without_a_region_there_is_no_table(aws, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UnavailableError, match="DynamoDB table t: You must specify a region"):
        DynamoStore.connect("t")


@pytest.fixture
def sent():
    """What the forgetful store sent."""
    return []


@pytest.fixture
def forgetful(table, sent):
    """A store of which the first answer to each action is lost, after the request was carried out."""
    store = DynamoStore.connect(table)
    client, lost = store._client, set()

    def lose(request, **_):
        action = request.headers["X-Amz-Target"].decode()
        sent.append(request.body)
        if action not in lost:
            lost.add(action)
            client._endpoint.http_session.send(request)
            raise ReadTimeoutError(endpoint_url=request.url)

    client.meta.events.register("before-send.dynamodb.*", lose)
    yield store
    store.close()


def test_a_write_whose_answer_was_lost_is_known_for_our_own(forgetful):
    forgetful.commit([Write(ONE, b"first", None)])
    assert forgetful.read([ONE])[ONE].data == b"first"


def test_a_delete_whose_answer_was_lost_is_a_conflict_and_done(forgetful):
    forgetful.commit([Write(ONE, b"first", None)])
    with pytest.raises(ConflictError):
        forgetful.commit([Write(ONE, None, forgetful.read([ONE])[ONE].version)])
    assert forgetful.read([ONE]) == {}


def test_a_transaction_sent_twice_bears_one_token(forgetful, sent):
    """DynamoDB takes both for one, for ten minutes; moto knows no tokens and sees a conflict."""
    with pytest.raises(ConflictError):
        forgetful.commit([Write(ONE, b"1", None), Write(TWO, b"2", None)])
    [token] = {json.loads(body)["ClientRequestToken"] for body in sent}
    assert len(token) == 36
    assert len(sent) == 2


def test_the_table_is_the_one_of_the_template():
    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's tags as nothing."""

    Loader.add_multi_constructor("!", lambda loader, tag, node: None)
    tables = yaml.load((ROOT / "template.yaml").read_text(), Loader)["Resources"].values()
    [ours] = [table["Properties"] for table in tables if table["Type"] == "AWS::DynamoDB::Table"]
    both = table_definition("t") | time_to_live("t")
    del both["TableName"]
    assert {name: ours[name] for name in both} == both
