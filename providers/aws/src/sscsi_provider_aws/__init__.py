"""The AWS provider: Secrets Manager and SSM Parameter Store."""
