# What exists once per model, and what lives long: the data bucket, the roles, and for each model its package group,
# pipeline, parameters and schedule. What runs in Lambda is template.yaml's; they meet in names and SSM parameters.

data "aws_partition" "here" {}

data "aws_caller_identity" "here" {
  lifecycle {
    postcondition {
      condition     = self.account_id == var.account
      error_message = "Rendered for account ${var.account}, and these are credentials of ${self.account_id}."
    }

    postcondition {
      condition     = contains(var.prefix == "handsoff" ? ["default", "handsoff"] : [var.prefix], terraform.workspace)
      error_message = "The prefix ${var.prefix} has the workspace ${var.prefix}: terraform workspace select -or-create ${var.prefix}"
    }

    postcondition {
      condition     = length(local.stale) == 0
      error_message = "handsoff.auto.tfvars.json is older than ${join(", ", local.stale)}: run handsoff render."
    }
  }
}

data "aws_region" "here" {
  lifecycle {
    postcondition {
      condition     = self.name == var.region
      error_message = "Rendered for ${var.region}, and the environment names ${self.name}."
    }
  }
}

locals {
  partition = data.aws_partition.here.partition
  account   = data.aws_caller_identity.here.account_id
  region    = data.aws_region.here.name
  project   = "${path.module}/.."

  bucket = coalesce(var.bucket, "${var.prefix}-data-${var.account}-${var.region}")
  role   = coalesce(var.pipeline_role, "arn:${local.partition}:iam::${local.account}:role/${var.prefix}-pipeline")

  tags = merge(var.tags, { "handsoff:prefix" = var.prefix })

  # What has changed since the values were rendered, is gone, or is new beside it.
  stale = sort(setunion(
    [
      for path, sum in var.rendered_from : path
      if !fileexists("${local.project}/${path}") || try(filesha256("${local.project}/${path}"), "") != sum
    ],
    setsubtract(fileset(local.project, "pipeline_def/**/*.py"), keys(var.rendered_from)),
  ))

  # The placeholders of policies/*.json, which AWS on this machine fills, too (local/infrastructure.py).
  names = {
    partition = local.partition
    region    = local.region
    account   = local.account
    prefix    = var.prefix
    bucket    = local.bucket
    role      = local.role
    image     = var.image
    kms_key   = var.kms_key == null ? "" : var.kms_key
  }
}
