"""AWS on this machine: one endpoint on the loopback interface, which any AWS client can use.

server.py          starts, finds and stops the server process      folder.py     the folder that it works in
cloud.py           the server process                              callers.py    which hosts may call
signatures.py      who signed a request                            scopes.py     the service that it is for
function_urls.py   pages of functions, which need no signature     asgi.py       bodies and answers
infrastructure.py  makes what Terraform makes on AWS               operator_user.py  makes the operator's user
ministack/         repairs of ministack, which answers all but SageMaker, and IAM
sagemaker/         SageMaker: pipelines whose jobs run, and the model registry
account.py, types.py, errors.py   the account, types, errors

Of the other packages only handsoff/ imports this one.
"""
