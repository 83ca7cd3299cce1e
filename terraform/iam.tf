# Policies are JSON files in policies/: AWS on this machine uses the same files, and tests prove each statement.

locals {
  pipeline_documents = toset(concat(
    ["pipeline"],
    var.kms_key == null ? [] : ["pipeline-kms"],
    length(var.subnets) == 0 ? [] : ["pipeline-vpc"],
  ))
}

# The role of pipelines and their jobs. An existing role (var.pipeline_role) is not changed.
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

# The role of schedules: it may send messages to the landings queue, and nothing else.
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
