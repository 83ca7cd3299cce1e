"""IAM, enforced: decisions about SageMaker's calls and services' roles, and a journal of all decisions.

authority.py  decides what callers of SageMaker, and services as a role, may do
services.py   repairs of permission checks in ministack
journal.py    the file with all decisions
"""
