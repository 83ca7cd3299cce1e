# What people and tools need who run handsoff's commands. Attach it to a group, a role or an SSO permission set, or
# let var.operator make a user. Keys are never made here: they would lie in Terraform's state.

resource "aws_iam_policy" "operator" {
  name        = "${var.prefix}-operator"
  description = "Land, start, follow and decide: what handsoff's commands need, but for handsoff publish"
  policy      = templatefile("${path.module}/policies/operator.json", local.names)
}

# Whoever publishes chooses what code runs as the pipelines' role. So it is a policy of its own, to be left out.
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

resource "aws_iam_user" "operator" {
  #checkov:skip=CKV_AWS_273:Made only if it is asked for; the policy goes to a role of SSO as well
  count = var.operator == null ? 0 : 1

  name                 = var.operator
  permissions_boundary = var.permissions_boundary
  force_destroy        = false # somebody works with its keys: they are deleted first, by hand

  lifecycle {
    ignore_changes = [tags, tags_all] # its keys are labelled by tags of the user (docs/how-to/operator.md)
  }
}

resource "aws_iam_user_policy_attachment" "operator" {
  #checkov:skip=CKV_AWS_40:One user that is made only if it is asked for; a group of one would add nothing
  count = var.operator == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator.arn
}

resource "aws_iam_user_policy_attachment" "operator_publish" {
  #checkov:skip=CKV_AWS_40:One user that is made only if it is asked for; a group of one would add nothing
  count = var.operator == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_publish.arn
}

resource "aws_iam_user_policy_attachment" "operator_data_key" {
  #checkov:skip=CKV_AWS_40:One user that is made only if it is asked for; a group of one would add nothing
  count = var.operator == null || var.kms_key == null ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_data_key[0].arn
}

# So that a key can be rotated by whom it belongs to.
resource "aws_iam_user_policy" "operator_keys" {
  #checkov:skip=CKV_AWS_40:One user that is made only if it is asked for; a group of one would add nothing
  count = var.operator == null ? 0 : 1

  name   = "keys"
  user   = aws_iam_user.operator[0].name
  policy = templatefile("${path.module}/policies/operator-keys.json", local.names)
}
