"""What handsoff calls in AWS: ledger (DynamoDB), registry and pipelines (SageMaker), events, settings."""
