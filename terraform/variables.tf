# `handsoff render` writes all of these to handsoff.auto.tfvars.json, from handsoff.yaml and pipeline_def/.
# Change them there; a file that is older than what it was made from is refused.

variable "prefix" {
  description = "Begins the name of everything of this deployment. Another one in the same account needs another."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,19}$", var.prefix))
    error_message = "The prefix is a letter and at most 19 letters and digits, all lower case."
  }
}

variable "account" {
  description = "The account that the file was rendered for. Credentials of another one are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "An account has 12 digits."
  }
}

variable "region" {
  description = "The region that the file was rendered for. An environment that names another one is refused."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region, such as eu-west-1."
  }
}

variable "image" {
  description = "ARN of the repository that holds SageMaker's scikit-learn image in this region."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/.+$", var.image))
    error_message = "The ARN of an ECR repository."
  }
}

variable "bucket" {
  description = <<-EOT
    Name of an existing data bucket, which must be versioned and send its events to EventBridge; nothing of it is
    changed here. Without it <prefix>-data-<account>-<region> is made.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, points and hyphens."
  }
}

variable "pipeline_role" {
  description = <<-EOT
    ARN of an existing role for the pipelines and their jobs, which must be able to do what policies/pipeline*.json
    say; nothing of it is changed here. Without it <prefix>-pipeline is made.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.pipeline_role == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.pipeline_role))
    error_message = "The ARN of a role."
  }
}

variable "subnets" {
  description = "Subnets of the jobs' network interfaces. Without any, the jobs are in a network of SageMaker's."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for subnet in var.subnets : can(regex("^subnet-[0-9a-f]{8,17}$", subnet))])
    error_message = "Subnets by their id, such as subnet-0123456789abcdef0."
  }
}

variable "security_groups" {
  description = "Security groups of the jobs' network interfaces. Both, these and the subnets, or none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for group in var.security_groups : can(regex("^sg-[0-9a-f]{8,17}$", group))])
    error_message = "Security groups by their id, such as sg-0123456789abcdef0."
  }

  validation {
    condition     = (length(var.security_groups) == 0) == (length(var.subnets) == 0)
    error_message = "Subnets and security groups: both or none."
  }
}

variable "kms_key" {
  description = <<-EOT
    ARN of the key that encrypts the bucket (SSE-KMS), the jobs' volumes and what they write. Without it the bucket
    has SSE-S3. With it an ETag is no digest of the bytes: the same file landed twice is a new batch, and starts a
    retraining (docs/explanation/decisions.md, 17).
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key))
    error_message = "The ARN of a key: not its alias, which policies cannot name."
  }
}

variable "permissions_boundary" {
  description = "ARN of the policy that bounds every role and user made here."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary == null || can(
      regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary)
    )
    error_message = "The ARN of a managed policy."
  }
}

variable "operator" {
  description = "Name of a user to make with the operator's policy, such as data-science-user. Never its keys."
  type        = string
  default     = null

  validation {
    condition     = var.operator == null || can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.operator))
    error_message = "A user's name has at most 64 letters, digits and _+=,.@-."
  }
}

variable "tags" {
  description = "Tags of everything made here."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, _ in var.tags : !can(regex("^(?i)(aws|handsoff):", name))])
    error_message = "Names that begin with aws: or handsoff: are reserved."
  }
}

variable "models" {
  description = <<-EOT
    By the model's name: its pipeline's definition and its config, both as JSON, and when it is retrained whether
    data has landed or not (rate(…) or cron(…) as EventBridge Scheduler takes it; null is never).
  EOT
  type = map(object({
    definition = string
    config     = string
    schedule   = optional(string)
    timezone   = optional(string, "UTC")
  }))

  validation {
    condition     = length(var.models) > 0
    error_message = "At least one model."
  }

  validation {
    condition = alltrue([
      for name, _ in var.models :
      can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", name)) && length("${var.prefix}-${name}") <= 63
    ])
    error_message = "A model's name is lower-case letters and digits joined by hyphens, with the prefix at most 63."
  }

  validation {
    condition = alltrue([
      for model in values(var.models) : can(jsondecode(model.definition)) && can(jsondecode(model.config))
    ])
    error_message = "Definitions and configs are JSON."
  }
}

variable "rendered_from" {
  description = "SHA-256 of each file that these values were made from, by its path from the project's folder."
  type        = map(string)

  validation {
    condition     = alltrue([for sum in values(var.rendered_from) : can(regex("^[0-9a-f]{64}$", sum))])
    error_message = "Each a SHA-256."
  }
}
