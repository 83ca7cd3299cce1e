# Whose state this is: `handsoff deploy` and `destroy` go on with no other's.

output "account" {
  description = "The account that this was made in."
  value       = local.account
}

output "region" {
  description = "The region that this was made in."
  value       = local.region
}

output "prefix" {
  description = "Begins the name of everything of this deployment."
  value       = var.prefix
}

output "bucket" {
  description = "Where data lands and models are kept."
  value       = local.bucket
}

output "pipeline_role" {
  description = "ARN of what pipelines and their jobs run as."
  value       = local.role
}

output "operator_policy" {
  description = "ARN of the policy for whoever runs handsoff's commands."
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
