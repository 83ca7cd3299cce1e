"""IAM, enforced: who may do what in SageMaker and as AWS's services, and a journal of every answer."""
