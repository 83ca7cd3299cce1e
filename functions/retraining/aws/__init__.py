"""What handsoff calls in AWS: ledger (DynamoDB), model registry and pipelines (SageMaker), events, settings."""
