# `handsoff render` writes all of these to handsoff.auto.tfvars.json, from handsoff.yaml and pipeline_def/. Change them
# there. Terraform refuses a file that is older than its sources.

variable "prefix" {
  description = "Begins the name of everything in this deployment. Each deployment in an account needs its own."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,19}$", var.prefix))
    error_message = "prefix must be a lower-case letter and at most 19 lower-case letters and digits."
  }
}

variable "account" {
  description = "The account that the file was rendered for, 12 digits. Credentials of another account are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "account must have 12 digits."
  }
}

variable "region" {
  description = "The region that the file was rendered for. An environment with another region is refused."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region, such as eu-west-1."
  }
}

variable "images" {
  description = "ARNs of the repositories that hold the images of the models' jobs."
  type        = list(string)

  validation {
    condition = length(var.images) > 0 && alltrue([
      for arn in var.images : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9._/-]+$", arn))
    ])
    error_message = "images must be the ARNs of ECR repositories, one at least."
  }
}

variable "bucket" {
  description = <<-EOT
    Name of an existing data bucket. It must be versioned and send its events to EventBridge; Terraform does not
    change it. Without it Terraform makes <prefix>-data-<account>-<region>.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits, points and hyphens."
  }
}

variable "pipeline_role" {
  description = <<-EOT
    ARN of an existing role for the pipelines and their jobs. It must allow what policies/pipeline*.json allow;
    Terraform does not change it. Without it Terraform makes <prefix>-pipeline.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.pipeline_role == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.pipeline_role))
    error_message = "pipeline_role must be the ARN of a role."
  }
}

variable "subnets" {
  description = "Ids of the subnets of the jobs' network interfaces. Without any, the jobs run in a network of SageMaker."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for subnet in var.subnets : can(regex("^subnet-[0-9a-f]{8,17}$", subnet))])
    error_message = "subnets must be ids, such as subnet-0123456789abcdef0."
  }
}

variable "security_groups" {
  description = "Ids of the security groups of the jobs' network interfaces. Give them together with subnets."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for group in var.security_groups : can(regex("^sg-[0-9a-f]{8,17}$", group))])
    error_message = "security_groups must be ids, such as sg-0123456789abcdef0."
  }

  validation {
    condition     = (length(var.security_groups) == 0) == (length(var.subnets) == 0)
    error_message = "Give both subnets and security_groups, or neither."
  }
}

variable "kms_key" {
  description = <<-EOT
    ARN of the KMS key that encrypts the bucket (SSE-KMS), the jobs' volumes and their output. Without it the bucket
    uses SSE-S3. With it an ETag is no digest of the content: the same file landed again is a new batch and starts an
    execution (docs/explanation/decisions.md, 17).
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key))
    error_message = "kms_key must be the ARN of a key, not of an alias, which policies cannot name."
  }
}

variable "create_signing_key" {
  description = "Whether Terraform makes the KMS key that signs evidence records, alias/<prefix>-evidence."
  type        = bool
  default     = false
}

variable "signing_key" {
  description = "ARN of an existing KMS key (ECC_NIST_P256) that signs evidence records; Terraform does not change it."
  type        = string
  default     = null

  validation {
    condition     = var.signing_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.signing_key))
    error_message = "signing_key must be the ARN of a key, not of an alias, which policies cannot name."
  }

  validation {
    condition     = !(var.create_signing_key && var.signing_key != null)
    error_message = "Give create_signing_key or signing_key, not both."
  }
}

variable "earlier_keys" {
  description = "ARNs of KMS keys that signed evidence records before; operators may read their public keys."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for arn in var.earlier_keys : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))
    ])
    error_message = "earlier_keys must be ARNs of keys."
  }
}

variable "object_lock" {
  description = <<-EOT
    Whether evidence records are locked. Terraform turns S3 Object Lock on for a bucket that it made, without a default
    retention: each record names its own. S3 cannot turn it off again.
  EOT
  type        = bool
  default     = false
}

variable "version_days" {
  description = "Days that data under curated/ is kept after it was overwritten or deleted. Executions read versions."
  type        = number
  default     = 90

  validation {
    condition     = var.version_days >= 14 && var.version_days <= 3650 && floor(var.version_days) == var.version_days
    error_message = "version_days must be a whole number from 14, because executions read versions, to 3650."
  }
}

variable "upload_days" {
  description = "Days after which the parts of an upload that was not finished are deleted."
  type        = number
  default     = 7

  validation {
    condition     = var.upload_days >= 1 && var.upload_days <= 365 && floor(var.upload_days) == var.upload_days
    error_message = "upload_days must be a whole number from 1 to 365."
  }
}

variable "permissions_boundary" {
  description = "ARN of the permissions boundary of every role and user that Terraform makes."
  type        = string
  default     = null

  validation {
    condition = var.permissions_boundary == null || can(
      regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary)
    )
    error_message = "permissions_boundary must be the ARN of a managed policy."
  }
}

variable "operator" {
  description = "Name of a user to make with the operator's policies, such as data-science-user; without access keys."
  type        = string
  default     = null

  validation {
    condition     = var.operator == null || can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.operator))
    error_message = "operator must be at most 64 letters, digits and _+=,.@-."
  }
}

variable "link_secret" {
  description = "ARN of the stack's secret that signs links: operators may read it, and so mint links to the review page."
  type        = string
  default     = null

  validation {
    condition = var.link_secret == null || can(
      regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9_/+=.@-]+$", var.link_secret)
    )
    error_message = "link_secret must be the ARN of a secret, as the stack's output LinkSecret has it."
  }
}

variable "tags" {
  description = "Tags of every resource that Terraform makes."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, _ in var.tags : !can(regex("^(?i)(aws|handsoff):", name))])
    error_message = "tags must not begin with aws: or handsoff:, which are reserved."
  }
}

variable "models" {
  description = <<-EOT
    By the model's name: its pipeline's definition and its config, both as JSON, and a schedule on which it is retrained
    even without new data (rate(…) or cron(…), as EventBridge Scheduler takes it; null for none). A rate(…) needs
    starts_after_minutes: the minutes from the making of the schedule to its first start request.
  EOT
  type = map(object({
    definition = string
    config     = string
    schedule   = optional(string)
    timezone   = optional(string, "UTC")

    starts_after_minutes = optional(number)
  }))

  validation {
    condition     = length(var.models) > 0
    error_message = "models must name at least one model."
  }

  validation {
    condition = alltrue([
      for name, _ in var.models :
      can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", name)) && length("${var.prefix}-${name}") <= 63
    ])
    error_message = "A model's name must be lower-case letters and digits joined by hyphens, with the prefix at most 63 characters."
  }

  validation {
    condition = alltrue([
      for model in values(var.models) : can(jsondecode(model.definition)) && can(jsondecode(model.config))
    ])
    error_message = "Each model's definition and config must be JSON."
  }

  validation {
    condition = alltrue([
      for model in values(var.models) :
      startswith(coalesce(model.schedule, "none"), "rate(") == (model.starts_after_minutes != null)
    ])
    error_message = "A rate(…) schedule, and no other, needs starts_after_minutes: without it, it would ask at once."
  }
}

variable "rendered_from" {
  description = "SHA-256 of each file that these values were made from, by its path in the project."
  type        = map(string)

  validation {
    condition     = alltrue([for sum in values(var.rendered_from) : can(regex("^[0-9a-f]{64}$", sum))])
    error_message = "rendered_from must have SHA-256 values of 64 hexadecimal digits."
  }
}
