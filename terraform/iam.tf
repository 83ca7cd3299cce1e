# Policies are JSON in policies/, so that AWS on this machine has the same ones and tests can prove each statement.

locals {
  pipeline_documents = toset(concat(
    ["pipeline"],
    var.kms_key == null ? [] : ["pipeline-kms"],
    length(var.subnets) == 0 ? [] : ["pipeline-vpc"],
  ))
}

# What pipelines and their jobs run as. An existing role (var.pipeline_role) is left as it is.
resource "aws_iam_role" "pipeline" {
  count = var.pipeline_role == null ? 1 : 0

  name                 = "${var.prefix}-pipeline"
  description          = "SageMaker pipelines of ${var.prefix} and their jobs"
  assume_role_policy   = templatefile("${path.module}/policies/trust-sagemaker.json", local.names)
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "pipeline" {
  for_each = var.pipeline_role == null ? local.pipeline_documents : toset([])

  name   = each.value
  role   = aws_iam_role.pipeline[0].name
  policy = templatefile("${path.module}/policies/${each.value}.json", local.names)
}

# What schedules run as: it may put a message on the landings queue, no more.
resource "aws_iam_role" "schedules" {
  name                 = "${var.prefix}-schedules"
  description          = "Schedules of ${var.prefix} that ask for retraining"
  assume_role_policy   = templatefile("${path.module}/policies/trust-scheduler.json", local.names)
  permissions_boundary = var.permissions_boundary
}

resource "aws_iam_role_policy" "schedules" {
  name   = "schedules"
  role   = aws_iam_role.schedules.name
  policy = templatefile("${path.module}/policies/schedules.json", local.names)
}
