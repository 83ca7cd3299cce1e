"""Repairs of ministack, which answers all requests but those to SageMaker, and the enforcement of IAM."""
