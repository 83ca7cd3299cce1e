# Terraform never deletes objects. But `terraform destroy`, or another bucket name later, removes this bucket's policy and
# its versioning, public access block and events, and only then fails because the bucket is not empty. So `handsoff
# destroy` keeps all of them, and `handsoff deploy` refuses such a plan. prevent_destroy would block `handsoff destroy
# --purge` and Terraform's own tests. An existing bucket (var.bucket) is not changed.

locals {
  own_bucket = var.bucket == null ? 1 : 0
}

resource "aws_s3_bucket" "data" {
  #checkov:skip=CKV_AWS_18:It would need a second bucket; CloudTrail's data events record reads
  #checkov:skip=CKV_AWS_144:A copy in another region doubles the cost: add one where data cannot be landed again
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

# Turned on in place, for a bucket that exists, too. There is no default retention, so objects without their own, such as
# data and executions' files, can be deleted as before. Terraform keeps this resource, as S3 does not turn the lock off.
resource "aws_s3_bucket_object_lock_configuration" "data" {
  count = var.object_lock ? local.own_bucket : 0

  bucket              = aws_s3_bucket.data[0].id
  object_lock_enabled = "Enabled"

  depends_on = [aws_s3_bucket_versioning.data]
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

# Data, models, manifests, code and evidence never expire; executions' intermediate files and quarantine do. Under curated/
# overwritten and deleted data expires. A rule with days also removes delete markers under which nothing lies any more.
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

  rule {
    id     = "curated"
    status = "Enabled"

    filter {
      prefix = "curated/"
    }

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = var.version_days
    }
  }

  rule {
    id     = "uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = var.upload_days
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
  #checkov:skip=CKV2_AWS_34:A bucket's name is no secret
  name        = "/${var.prefix}/data-bucket"
  description = "Where data lands and models are kept; template.yaml and handsoff read it"
  type        = "String"
  tier        = "Intelligent-Tiering"
  value       = var.bucket == null ? aws_s3_bucket.data[0].id : var.bucket
}
