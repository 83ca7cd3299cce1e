# The key that signs evidence records, and what operators need to sign and to verify. The functions' permissions are in
# template.yaml, which gets the key's ARN. An existing key (var.signing_key) is not changed.

locals {
  signing_key  = var.create_signing_key ? aws_kms_key.evidence[0].arn : var.signing_key
  signs        = var.create_signing_key || var.signing_key != null
  signing_keys = concat(local.signs ? [local.signing_key] : [], var.earlier_keys)
}

resource "aws_kms_key" "evidence" {
  #checkov:skip=CKV_AWS_7:KMS does not rotate asymmetric keys
  #checkov:skip=CKV2_AWS_64:The default policy leaves permissions to IAM, as the other resources do
  count = var.create_signing_key ? 1 : 0

  description              = "Signs the evidence records of ${var.prefix}"
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = 30
}

resource "aws_kms_alias" "evidence" {
  count = var.create_signing_key ? 1 : 0

  name          = "alias/${var.prefix}-evidence"
  target_key_id = aws_kms_key.evidence[0].key_id
}

# Commands write evidence where they decide, as the functions do.
resource "aws_iam_policy" "operator_signing" {
  count = local.signs ? 1 : 0

  name        = "${var.prefix}-operator-signing"
  description = "Sign evidence records, and read the public keys that verify them"
  policy = templatefile("${path.module}/policies/operator-signing.json", {
    signing_key  = local.signing_key
    signing_keys = join("\", \"", local.signing_keys)
  })
}

resource "aws_iam_policy" "operator_lock" {
  count = var.object_lock ? 1 : 0

  name        = "${var.prefix}-operator-lock"
  description = "Lock evidence records, and what they are about"
  policy      = templatefile("${path.module}/policies/operator-lock.json", local.names)
}

resource "aws_iam_user_policy_attachment" "operator_signing" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null || !local.signs ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_signing[0].arn
}

resource "aws_iam_user_policy_attachment" "operator_lock" {
  #checkov:skip=CKV_AWS_40:Made only where var.operator asks for it; a group for one user adds nothing
  count = var.operator == null || !var.object_lock ? 0 : 1

  user       = aws_iam_user.operator[0].name
  policy_arn = aws_iam_policy.operator_lock[0].arn
}
