resource "aws_sagemaker_model_package_group" "model" {
  for_each = var.models

  model_package_group_name        = "${var.prefix}-${each.key}"
  model_package_group_description = "Candidates of the model ${each.key}"

  tags = { "handsoff:model" = each.key }
}

resource "aws_sagemaker_pipeline" "model" {
  for_each = var.models

  pipeline_name         = "${var.prefix}-${each.key}"
  pipeline_display_name = "${var.prefix}-${each.key}"
  pipeline_description  = "Retrains ${each.key}: preprocess, train, evaluate, register"
  pipeline_definition   = each.value.definition
  role_arn              = var.pipeline_role == null ? aws_iam_role.pipeline[0].arn : var.pipeline_role

  tags = { "handsoff:model" = each.key }

  depends_on = [aws_iam_role_policy.pipeline]
}

# The model's config, which the functions read. `handsoff publish` writes the same value between two applies. It comes
# after the pipeline: by a rule with versus_anchor a start names a parameter that the pipeline must have.
resource "aws_ssm_parameter" "model" {
  #checkov:skip=CKV2_AWS_34:A model's settings are in git and no secret
  for_each = var.models

  name        = "/${var.prefix}/models/${each.key}"
  description = "Config of the model ${each.key}, from handsoff.yaml"
  type        = "String"
  tier        = "Intelligent-Tiering" # only values above 4 KB cost
  value       = each.value.config

  tags = { "handsoff:model" = each.key }

  depends_on = [aws_sagemaker_pipeline.model]
}

# A schedule sends a start request to the landings queue, as a person's command does. template.yaml makes the queue, so
# its ARN is built from its name.
#
# A rate() schedule without a start date asks at once, and UpdateSchedule takes a start date away that it does not name
# and refuses one in the past. So a changed schedule is made anew, with a new start date, and never updated.
resource "terraform_data" "schedule" {
  for_each = local.schedules

  input = each.value
}

resource "aws_scheduler_schedule" "model" {
  #checkov:skip=CKV_AWS_297:It holds a model's name and no data; an AWS key encrypts it
  for_each = local.schedules

  name                         = "${var.prefix}-${each.key}"
  description                  = each.value.description
  schedule_expression          = each.value.expression
  schedule_expression_timezone = each.value.timezone

  start_date = (
    each.value.starts_after_minutes == null ? null : timeadd(timestamp(), "${each.value.starts_after_minutes}m")
  )

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.landings
    role_arn = aws_iam_role.schedules.arn

    input = each.value.message

    dead_letter_config {
      arn = "${local.landings}-failures"
    }
  }

  depends_on = [aws_iam_role_policy.schedules]

  lifecycle {
    ignore_changes       = [start_date] # it is a time of the past from then on
    replace_triggered_by = [terraform_data.schedule[each.key]]
  }
}

locals {
  schedules = {
    for name, model in var.models : name => {
      description          = "Asks for a retraining of ${name} on the data that is there"
      expression           = model.schedule
      timezone             = model.timezone
      starts_after_minutes = model.starts_after_minutes

      # jsonencode escapes < and >, which Scheduler's placeholders need.
      message = replace(replace(jsonencode({
        source = "handsoff"
        detail = {
          model       = name
          trigger     = "schedule"
          cause       = "<aws.scheduler.scheduled-time>"
          requestedBy = "<aws.scheduler.schedule-arn>"
        }
      }), "\\u003c", "<"), "\\u003e", ">")
    } if model.schedule != null
  }

  landings = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.prefix}-landings"
}
