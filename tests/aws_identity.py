"""An AWS identity, as tests of several rooms need one; each changes what it is about."""

from sscsi_provider_aws.identity import IRSA, AwsIdentity

ROLE = "arn:aws:iam::123456789012:role/app"
IDENTITY = AwsIdentity(
    mode=IRSA,
    namespace="ns",
    service_account="sa",
    uid="uid",
    issuer="https://issuer",
    audience="sts.amazonaws.com",
    role=ROLE,
    address_type="",
    assume_role="",
    external_id="",
    region="eu-west-1",
    endpoints=(),
    ca_bundle="",
    proxy=(),
    fips=False,
)
