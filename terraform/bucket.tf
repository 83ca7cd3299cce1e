# Objects are never deleted here, but what guards them can be: `terraform destroy`, or naming another bucket once this
# one is made, removes its policy, versioning, public access block and events first, and only then fails because the
# bucket is not empty. `handsoff destroy` leaves all of it, `handsoff deploy` refuses such a plan. An existing bucket
# (var.bucket) is left as it is. prevent_destroy would hold back handsoff destroy --purge, and Terraform's own tests.

locals {
  own_bucket = var.bucket == null ? 1 : 0
}

resource "aws_s3_bucket" "data" {
  #checkov:skip=CKV_AWS_18:It would need a second bucket; who reads what is in CloudTrail's data events
  #checkov:skip=CKV_AWS_144:A copy in another region doubles the cost: add it to this bucket if data cannot be landed again
  count = local.own_bucket

  bucket        = local.bucket
  force_destroy = false
}

resource "aws_s3_bucket_public_access_block" "data" {
  count = local.own_bucket

  bucket                  = aws_s3_bucket.data[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "data" {
  count = local.own_bucket

  bucket = aws_s3_bucket.data[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "data" {
  count = local.own_bucket

  bucket = aws_s3_bucket.data[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  count = local.own_bucket

  bucket = aws_s3_bucket.data[0].id

  rule {
    bucket_key_enabled = var.kms_key == null ? null : true

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key
    }
  }
}

resource "aws_s3_bucket_policy" "data" {
  count = local.own_bucket

  bucket = aws_s3_bucket.data[0].id
  policy = templatefile("${path.module}/policies/bucket.json", local.names)

  depends_on = [aws_s3_bucket_public_access_block.data]
}

# Data, models, manifests, code and evidence stay for ever; what executions leave on their way does not.
resource "aws_s3_bucket_lifecycle_configuration" "data" {
  count = local.own_bucket

  bucket = aws_s3_bucket.data[0].id

  dynamic "rule" {
    for_each = { quarantine = 90, runs = 30 }

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = "${rule.key}/"
      }

      expiration {
        days = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }

      abort_incomplete_multipart_upload {
        days_after_initiation = 1
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.data]
}

resource "aws_s3_bucket_notification" "data" {
  count = local.own_bucket

  bucket      = aws_s3_bucket.data[0].id
  eventbridge = true
}

resource "aws_ssm_parameter" "data_bucket" {
  #checkov:skip=CKV2_AWS_34:A bucket's name, no secret
  name        = "/${var.prefix}/data-bucket"
  description = "Where data lands and models are kept; template.yaml and handsoff read it"
  type        = "String"
  tier        = "Intelligent-Tiering"
  value       = var.bucket == null ? aws_s3_bucket.data[0].id : var.bucket
}
