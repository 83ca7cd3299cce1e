# Policies for people and tools that run handsoff's commands. Attach them to a group, a role or an SSO permission set,
# or let var.operator make a user. Terraform makes no access keys: they would be stored in its state.

resource "aws_iam_policy" "operator" {
  name        = "${var.prefix}-operator"
  description = "Land, start, follow and decide: what handsoff's commands need, but for handsoff publish"
  policy      = templatefile("${path.module}/policies/operator.json", local.names)
}

# A policy of its own, as IAM's limit of a policy is 6,144 characters.
resource "aws_iam_policy" "operator_evidence" {
  name        = "${var.prefix}-operator-evidence"
  description = "Read evidence, write it where commands decide, and append its records"
  policy      = templatefile("${path.module}/policies/operator-evidence.json", local.names)
}

# Publishing chooses the code that runs as the pipelines' role. A policy of its own allows it, to be left out at will.
resource "aws_iam_policy" "operator_publish" {
  name        = "${var.prefix}-operator-publish"
  description = "Publish code, definitions and configs: who may do so acts as the pipelines' role"
  policy      = templatefile("${path.module}/policies/operator-publish.json", local.names)
}

resource "aws_iam_policy" "operator_data_key" {
  count = var.kms_key == null ? 0 : 1

  name        = "${var.prefix}-operator-data-key"
  description = "Read and write what the data key encrypts in S3"
  policy      = templatefile("${path.module}/policies/operator-kms.json", local.names)
}

# Who reads the secret can make links that decide. A policy of its own allows it, where var.link_secret asks for it.
resource "aws_iam_policy" "operator_links" {
  count = var.link_secret == null ? 0 : 1

  name        = "${var.prefix}-operator-links"
  description = "Mint links to the review page by handsoff review"
  policy      = templatefile("${path.module}/policies/operator-links.json", local.names)
}

resource "aws_iam_user" "operator" {
  #checkov:skip=CKV_AWS_273:Made only where var.operator asks for it; an SSO role can have the policies instead
  count = var.operator == null ? 0 : 1

  name                 = var.operator
  permissions_boundary = var.permissions_boundary
  force_destroy        = false # a user with access keys is in use: delete the keys by hand first

  lifecycle {
    ignore_changes = [tags, tags_all] # tags of the user label its keys (docs/how-to/operator.md)
  }
}

resource "aws_iam_user_policy_attachment" "operator" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator.arn
}

resource "aws_iam_user_policy_attachment" "operator_evidence" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_evidence.arn
}

resource "aws_iam_user_policy_attachment" "operator_publish" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_publish.arn
}

resource "aws_iam_user_policy_attachment" "operator_data_key" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null || var.kms_key == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_data_key[0].arn
}

resource "aws_iam_user_policy_attachment" "operator_links" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null || var.link_secret == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_links[0].arn
}

# Lets the user rotate its own access keys.
resource "aws_iam_user_policy" "operator_keys" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null ? 0 : 1

  name   = "keys"
  user   = aws_iam_user.operator[0].name
  policy = templatefile("${path.module}/policies/operator-keys.json", local.names)
}
