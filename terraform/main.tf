# Long-lived resources and resources of each model: the data bucket, the roles, and for each model its package group,
# pipeline, parameter and schedule. template.yaml has everything that runs in Lambda. The two share names and SSM
# parameters only.

data "aws_partition" "here" {}

data "aws_caller_identity" "here" {
  lifecycle {
    postcondition {
      condition     = self.account_id == var.account
      error_message = "Rendered for account ${var.account}, but the credentials are of ${self.account_id}: use the other ones, or run handsoff render."
    }

    postcondition {
      condition     = contains(var.prefix == "handsoff" ? ["default", "handsoff"] : [var.prefix], terraform.workspace)
      error_message = "The prefix ${var.prefix} needs the workspace ${var.prefix}: terraform workspace select -or-create ${var.prefix}"
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
      error_message = "Rendered for ${var.region}, but the environment names ${self.name}: use the other region, or run handsoff render."
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

  # Beside this folder they lie in a checkout only. Elsewhere a folder of this name is the user's.
  checkout = contains(keys(var.rendered_from), "pipeline_def/publish.py")
  sources  = local.checkout ? fileset(local.project, "pipeline_def/**/*.py") : toset([])

  # Files that have changed or gone since the values were rendered, and files that are new.
  stale = sort(setunion(
    [
      for path, sum in var.rendered_from : path
      if !fileexists("${local.project}/${path}") || try(filesha256("${local.project}/${path}"), "") != sum
    ],
    setsubtract(local.sources, keys(var.rendered_from)),
  ))

  # Values of the placeholders in policies/*.json; local/infrastructure.py fills them for AWS on this machine.
  names = {
    partition = local.partition
    region    = local.region
    account   = local.account
    prefix    = var.prefix
    bucket    = local.bucket
    role      = local.role
    images    = join("\", \"", var.images)
    kms_key   = var.kms_key == null ? "" : var.kms_key

    link_secret = var.link_secret == null ? "" : var.link_secret
  }
}
