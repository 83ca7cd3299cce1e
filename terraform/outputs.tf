# The first three say which deployment this state is of. `handsoff deploy` and `handsoff destroy` refuse another one.

output "account" {
  description = "The account of the deployment."
  value       = local.account
}

output "region" {
  description = "The region of the deployment."
  value       = local.region
}

output "prefix" {
  description = "Begins the name of everything in this deployment."
  value       = var.prefix
}

output "bucket" {
  description = "The bucket of data, models and evidence."
  value       = local.bucket
}

output "pipeline_role" {
  description = "ARN of the role of pipelines and their jobs."
  value       = local.role
}

output "operator_policy" {
  description = "ARN of the policy for running handsoff's commands."
  value       = aws_iam_policy.operator.arn
}

output "pipelines" {
  description = "ARN of each model's pipeline."
  value       = { for name, pipeline in aws_sagemaker_pipeline.model : name => pipeline.arn }
}

output "model_package_groups" {
  description = "ARN of each model's package group."
  value       = { for name, group in aws_sagemaker_model_package_group.model : name => group.arn }
}
