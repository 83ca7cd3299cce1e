"""What mends ministack, which plays all of AWS but SageMaker, and what makes it enforce IAM."""
