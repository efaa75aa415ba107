"""The ordinary calls of the corpus: which service, which call, and templates for what each shows.

Templates are filled by :class:`fields.Fields`. Sizes follow what the services write: a few hundred bytes for
a lookup, several kilobytes where an instance or a task is started.
"""

# ruff: noqa: E501  # a call a line reads better than JSON broken in the middle

from __future__ import annotations

from typing import NamedTuple


class Call(NamedTuple):
    """One kind of call; each part is JSON with ``%(field)s``."""

    source: str
    name: str
    read_only: str
    request: str
    response: str = "null"
    additional: str = ""
    resources: str = ""


_S3 = (
    '{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0'
    ',"AuthenticationMethod":"AuthHeader","x-amz-id-2":"%(id2)s","bytesTransferredOut":%(number)s}'
)
_BUCKET = '{"accountId":"%(account)s","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::%(name)s"}'
_KEY = '{"accountId":"%(account)s","type":"AWS::KMS::Key","ARN":"arn:aws:kms:us-east-1:%(account)s:key/%(key)s"}'
_TABLE = '{"accountId":"%(account)s","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:us-east-1:%(account)s:table/%(name)s"}'
_CONTEXT = (
    '{"aws:s3:arn":"arn:aws:s3:::%(name)s/part-%(hex)s.parquet","aws-crypto-public-key":"%(blob)s"'
    ',"service":"%(other)s","tenant":"%(uuid)s"}'
)
_INSTANCE = (
    '{"requestId":"%(uuid)s","reservationId":"r-%(hex)s","ownerId":"%(account)s","groupSet":{},"instancesSet":{"items":['
    '{"instanceId":"i-%(hex)s","imageId":"ami-%(hex2)s","currentInstanceBootMode":"uefi","instanceState":{"code":0'
    ',"name":"pending"},"privateDnsName":"ip-%(number)s.ec2.internal","amiLaunchIndex":0,"productCodes":{}'
    ',"instanceType":"m7g.large","launchTime":%(big)s000,"placement":{"availabilityZone":"us-east-1b","tenancy":"default"}'
    ',"monitoring":{"state":"pending"},"subnetId":"subnet-%(hex2)s","vpcId":"vpc-%(hex2)s","privateIpAddress":"%(ip)s"'
    ',"stateReason":{"code":"pending","message":"pending"},"architecture":"arm64","rootDeviceType":"ebs"'
    ',"rootDeviceName":"/dev/xvda","blockDeviceMapping":{},"virtualizationType":"hvm","hypervisor":"xen"'
    ',"tagSet":{"items":[{"key":"Name","value":"%(name)s"},{"key":"team","value":"%(other)s"}]}'
    ',"clientToken":"%(uuid2)s","networkInterfaceSet":{"items":[{"networkInterfaceId":"eni-%(hex)s"'
    ',"ownerId":"%(account)s","status":"in-use","sourceDestCheck":true,"attachment":{"deviceIndex":0,"networkCardIndex":0'
    ',"status":"attaching","deleteOnTermination":true}}]},"ebsOptimized":false,"enaSupport":true}]}}'
)
_TASK = (
    '{"tasks":[{"taskArn":"arn:aws:ecs:us-east-1:%(account)s:task/%(name)s/%(hex)s","clusterArn":"arn:aws:ecs:us-east-1:'
    '%(account)s:cluster/%(name)s","taskDefinitionArn":"arn:aws:ecs:us-east-1:%(account)s:task-definition/%(other)s:%(number)s"'
    ',"overrides":{"containerOverrides":[{"name":"%(other)s"}],"inferenceAcceleratorOverrides":[]},"lastStatus":"PROVISIONING"'
    ',"desiredStatus":"RUNNING","cpu":"512","memory":"1024","containers":[{"containerArn":"arn:aws:ecs:us-east-1:%(account)s:'
    'container/%(name)s/%(hex)s/%(uuid)s","name":"%(other)s","image":"%(account)s.dkr.ecr.us-east-1.amazonaws.com/%(other)s"'
    ',"lastStatus":"PENDING","networkInterfaces":[],"cpu":"256","memory":"512"}],"version":1,"createdAt":"%(time)s"'
    ',"group":"service:%(other)s","launchType":"FARGATE","platformVersion":"1.4.0","attachments":[{"id":"%(uuid2)s"'
    ',"type":"ElasticNetworkInterface","status":"PRECREATED","details":[{"name":"subnetId","value":"subnet-%(hex2)s"}]}]'
    ',"tags":[],"ephemeralStorage":{"sizeInGiB":20}}],"failures":[]}'
)

CALLS = (
    Call("s3.amazonaws.com", "GetBucketAcl", "true", '{"bucketName":"%(name)s","Host":"%(name)s.s3.us-east-1.amazonaws.com","acl":""}', "null", _S3, _BUCKET),
    Call("s3.amazonaws.com", "GetBucketLocation", "true", '{"bucketName":"%(name)s","location":"","Host":"s3.us-east-1.amazonaws.com"}', "null", _S3, _BUCKET),
    Call("s3.amazonaws.com", "ListObjects", "true", '{"list-type":"2","bucketName":"%(name)s","encoding-type":"url","prefix":"in/%(uuid)s/","delimiter":"/","Host":"%(name)s.s3.us-east-1.amazonaws.com"}', "null", _S3, _BUCKET + ',{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::%(name)s/in/%(uuid)s/"}'),
    Call("kms.amazonaws.com", "Decrypt", "true", '{"encryptionContext":' + _CONTEXT + ',"keyId":"arn:aws:kms:us-east-1:%(account)s:key/%(key)s","encryptionAlgorithm":"SYMMETRIC_DEFAULT"}', "null", '{"keyMaterialId":"%(hex)s%(hex2)s"}', _KEY),
    Call("kms.amazonaws.com", "GenerateDataKey", "true", '{"keyId":"arn:aws:kms:us-east-1:%(account)s:key/%(key)s","encryptionContext":' + _CONTEXT + ',"keySpec":"AES_256"}', "null", '{"keyMaterialId":"%(hex)s%(hex2)s"}', _KEY),
    Call("ec2.amazonaws.com", "DescribeInstances", "true", '{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"tag:Name","valueSet":{"items":[{"value":"%(name)s"}]}},{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"pending"}]}}]},"nextToken":"%(blob)s"}'),
    Call("ec2.amazonaws.com", "DescribeNetworkInterfaces", "true", '{"networkInterfaceIdSet":{"items":[{"networkInterfaceId":"eni-%(hex)s"},{"networkInterfaceId":"eni-%(hex2)s"}]},"filterSet":{}}'),
    Call("ec2.amazonaws.com", "RunInstances", "false", '{"instancesSet":{"items":[{"imageId":"ami-%(hex2)s","minCount":1,"maxCount":1}]},"instanceType":"m7g.large","blockDeviceMapping":{},"monitoring":{"enabled":false},"subnetId":"subnet-%(hex2)s","clientToken":"%(uuid2)s","tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Name","value":"%(name)s"}]}]}}', _INSTANCE),
    Call("ssm.amazonaws.com", "GetParameter", "true", '{"name":"/acme/%(name)s/%(other)s","withDecryption":true}', "null", "", '{"accountId":"%(account)s","ARN":"arn:aws:ssm:us-east-1:%(account)s:parameter/acme/%(name)s/%(other)s"}'),
    Call("ssm.amazonaws.com", "UpdateInstanceInformation", "false", '{"instanceId":"i-%(hex)s","agentVersion":"3.3.2299.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"%(ip)s","computerName":"ip-%(number)s.ec2.internal","agentName":"amazon-ssm-agent","availabilityZone":"us-east-1b","availabilityZoneId":"use1-az2","sSMConnectionChannel":"ssmmessages"}'),
    Call("secretsmanager.amazonaws.com", "GetSecretValue", "true", '{"secretId":"arn:aws:secretsmanager:us-east-1:%(account)s:secret:%(name)s-Ab12Cd","versionId":"%(uuid)s"}', "null", "", '{"accountId":"%(account)s","type":"AWS::SecretsManager::Secret","ARN":"arn:aws:secretsmanager:us-east-1:%(account)s:secret:%(name)s-Ab12Cd"}'),
    Call("logs.amazonaws.com", "CreateLogStream", "false", '{"logGroupName":"/aws/lambda/%(name)s","logStreamName":"2026/11/02/[$LATEST]%(hex)s%(hex2)s"}'),
    Call("logs.amazonaws.com", "StartQuery", "true", '{"logGroupName":"/aws/lambda/%(name)s","startTime":%(big)s,"endTime":%(big)s,"queryString":"fields @timestamp, @message | filter @requestId = \'%(uuid)s\' | sort @timestamp desc | limit 200"}', '{"queryId":"%(uuid2)s"}'),
    Call("dynamodb.amazonaws.com", "DescribeTable", "true", '{"tableName":"%(name)s"}', "null", "", _TABLE),
    Call("dynamodb.amazonaws.com", "UpdateTimeToLive", "false", '{"tableName":"%(name)s","timeToLiveSpecification":{"enabled":true,"attributeName":"expires_at"}}', '{"timeToLiveSpecification":{"enabled":true,"attributeName":"expires_at"}}', "", _TABLE),
    Call("ecr.amazonaws.com", "BatchGetImage", "true", '{"registryId":"%(account)s","repositoryName":"%(name)s","imageIds":[{"imageDigest":"sha256:%(hex)s%(hex2)s%(hex)s"}],"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.docker.distribution.manifest.list.v2+json","application/vnd.oci.image.manifest.v1+json","application/vnd.oci.image.index.v1+json"]}', "null", "", '{"accountId":"%(account)s","ARN":"arn:aws:ecr:us-east-1:%(account)s:repository/%(name)s"}'),
    Call("ecr.amazonaws.com", "GetAuthorizationToken", "true", "null"),
    Call("monitoring.amazonaws.com", "DescribeAlarms", "true", '{"alarmNames":["%(name)s-errors","%(name)s-latency-p99","%(other)s-throttles","%(other)s-dead-letters"],"maxRecords":100,"nextToken":"%(blob)s"}'),
    Call("ecs.amazonaws.com", "RunTask", "false", '{"cluster":"%(name)s","count":1,"launchType":"FARGATE","taskDefinition":"%(other)s","networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-%(hex2)s"],"assignPublicIp":"DISABLED"}},"overrides":{"containerOverrides":[{"name":"%(other)s"}]}}', _TASK),
    Call("ecs.amazonaws.com", "DescribeTasks", "true", '{"cluster":"%(name)s","tasks":["arn:aws:ecs:us-east-1:%(account)s:task/%(name)s/%(hex)s","arn:aws:ecs:us-east-1:%(account)s:task/%(name)s/%(hex2)s"]}'),
    Call("iam.amazonaws.com", "GetRole", "true", '{"roleName":"%(name)s"}'),
    Call("sqs.amazonaws.com", "GetQueueAttributes", "true", '{"queueUrl":"https://sqs.us-east-1.amazonaws.com/%(account)s/%(name)s","attributeNames":["ApproximateNumberOfMessages","ApproximateNumberOfMessagesNotVisible"]}'),
    Call("lambda.amazonaws.com", "GetFunction20150331v2", "true", '{"functionName":"arn:aws:lambda:us-east-1:%(account)s:function:%(name)s"}'),
    Call("glue.amazonaws.com", "GetPartitions", "true", '{"databaseName":"%(name)s","tableName":"%(other)s","expression":"day >= \'2026-11-01\' and tenant = \'%(uuid)s\'","segment":{"segmentNumber":3,"totalSegments":10},"maxResults":1000,"nextToken":"%(blob)s","excludeColumnSchema":true}'),
)  # fmt: skip
SERVICES = tuple(dict.fromkeys(call.source.partition(".")[0] for call in CALLS))
