# Tests of each input's effect, without AWS. Run `terraform test` in terraform/.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-west-1" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  # The provider validates ARNs, also mocked ones.
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/made" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/5192ed" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/made" }
  }
}

variables {
  prefix  = "handsoff"
  account = "123456789012"
  region  = "eu-west-1"
  images  = ["arn:aws:ecr:eu-west-1:141502667606:repository/sagemaker-scikit-learn"]

  # These replace the values of a rendered file in this folder.
  bucket               = null
  pipeline_role        = null
  subnets              = []
  security_groups      = []
  kms_key              = null
  create_signing_key   = false
  signing_key          = null
  earlier_keys         = []
  object_lock          = false
  permissions_boundary = null
  operator             = null
  link_secret          = null
  tags                 = {}

  models = {
    titanic = {
      definition = "{\"Version\": \"2020-12-01\"}"
      config     = "{\"task\": \"binary_classification\"}"
      schedule   = "rate(7 days)"
      timezone   = "Europe/Madrid"

      starts_after_minutes = 10080
    }
    fares = {
      definition = "{\"Version\": \"2020-12-01\", \"Metadata\": {}}"
      config     = "{\"task\": \"regression\"}"
    }
  }

  rendered_from = { for path in fileset("..", "pipeline_def/**/*.py") : path => filesha256("../${path}") }
}

run "bucket" {
  assert {
    condition     = aws_s3_bucket.data[0].bucket == "handsoff-data-123456789012-eu-west-1"
    error_message = "The bucket has the name that the definitions use."
  }

  assert {
    condition     = !aws_s3_bucket.data[0].force_destroy
    error_message = "Terraform does not empty the bucket."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.data[0].block_public_acls,
      aws_s3_bucket_public_access_block.data[0].block_public_policy,
      aws_s3_bucket_public_access_block.data[0].ignore_public_acls,
      aws_s3_bucket_public_access_block.data[0].restrict_public_buckets,
    ])
    error_message = "The bucket is not public."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.data[0].rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "The bucket has no ACLs."
  }

  assert {
    condition     = aws_s3_bucket_versioning.data[0].versioning_configuration[0].status == "Enabled"
    error_message = "The bucket keeps versions, which batches name."
  }

  assert {
    condition     = aws_s3_bucket_notification.data[0].eventbridge
    error_message = "The bucket sends events to EventBridge."
  }

  assert {
    condition = one(one(aws_s3_bucket_server_side_encryption_configuration.data[0].rule)
    .apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Without a key the bucket uses SSE-S3."
  }

  assert {
    condition = {
      for rule in slice(aws_s3_bucket_lifecycle_configuration.data[0].rule, 0, 2) : rule.filter[0].prefix => [
        rule.status,
        rule.expiration[0].days,
        rule.noncurrent_version_expiration[0].noncurrent_days,
        rule.abort_incomplete_multipart_upload[0].days_after_initiation,
      ]
      } == {
      "quarantine/" = ["Enabled", 90, 1, 1]
      "runs/"       = ["Enabled", 30, 1, 1]
    }
    error_message = "Only runs/ and quarantine/ expire."
  }

  assert {
    condition = [for rule in slice(aws_s3_bucket_lifecycle_configuration.data[0].rule, 2, 4) : [
      rule.id, rule.status, rule.filter[0].prefix
    ]] == [["curated", "Enabled", "curated/"], ["uploads", "Enabled", ""]]
    error_message = "Two more rules are about overwritten data and about unfinished uploads anywhere."
  }

  assert {
    condition = (
      aws_s3_bucket_lifecycle_configuration.data[0].rule[2].noncurrent_version_expiration[0].noncurrent_days == 90 &&
      aws_s3_bucket_lifecycle_configuration.data[0].rule[2].expiration[0].expired_object_delete_marker &&
      aws_s3_bucket_lifecycle_configuration.data[0].rule[2].expiration[0].days == 0
    )
    error_message = "Overwritten data expires after 90 days, and current data does not."
  }

  assert {
    condition = (
      aws_s3_bucket_lifecycle_configuration.data[0].rule[3].abort_incomplete_multipart_upload[0].days_after_initiation
      == 7
    )
    error_message = "Parts of unfinished uploads are deleted after 7 days."
  }

  assert {
    condition = [for statement in jsondecode(aws_s3_bucket_policy.data[0].policy).Statement : [
      statement.Sid, statement.Effect, statement.Condition
      ]] == [
      ["TlsOnly", "Deny", { Bool = { "aws:SecureTransport" = "false" } }],
      ["OnlyThePipelineWritesModelsAndRuns", "Deny", {
        ArnNotEquals = { "aws:PrincipalArn" = "arn:aws:iam::123456789012:role/handsoff-pipeline" }
      }],
      ["CodeAndRecordsAreNeverOverwritten", "Deny", { Null = { "s3:if-none-match" = "true" } }],
    ]
    error_message = "The bucket requires TLS, and only the pipelines' role writes models and runs."
  }

  assert {
    condition     = aws_ssm_parameter.data_bucket.name == "/handsoff/data-bucket"
    error_message = "The SSM parameter names the bucket."
  }
}

run "models" {
  assert {
    condition = {
      for name, group in aws_sagemaker_model_package_group.model : name => group.model_package_group_name
    } == { fares = "handsoff-fares", titanic = "handsoff-titanic" }
    error_message = "Each model has a package group."
  }

  assert {
    condition = {
      for name, pipeline in aws_sagemaker_pipeline.model : pipeline.pipeline_name => pipeline.pipeline_definition
      } == {
      handsoff-fares   = "{\"Version\": \"2020-12-01\", \"Metadata\": {}}"
      handsoff-titanic = "{\"Version\": \"2020-12-01\"}"
    }
    error_message = "Each model has a pipeline with its rendered definition, byte for byte."
  }

  assert {
    condition = {
      for name, parameter in aws_ssm_parameter.model : parameter.name => [nonsensitive(parameter.value), parameter.tier]
      } == {
      "/handsoff/models/fares"   = ["{\"task\": \"regression\"}", "Intelligent-Tiering"]
      "/handsoff/models/titanic" = ["{\"task\": \"binary_classification\"}", "Intelligent-Tiering"]
    }
    error_message = "Each model's config is an SSM parameter."
  }

  assert {
    condition     = keys(aws_scheduler_schedule.model) == ["titanic"]
    error_message = "Only a model with a schedule has one."
  }

  assert {
    condition = [
      aws_scheduler_schedule.model["titanic"].name,
      aws_scheduler_schedule.model["titanic"].schedule_expression,
      aws_scheduler_schedule.model["titanic"].schedule_expression_timezone,
      aws_scheduler_schedule.model["titanic"].flexible_time_window[0].mode,
    ] == ["handsoff-titanic", "rate(7 days)", "Europe/Madrid", "OFF"]
    error_message = "The schedule has the model's expression and timezone."
  }

  assert {
    condition = (
      timecmp(aws_scheduler_schedule.model["titanic"].start_date, timeadd(plantimestamp(), "167h55m")) > 0 &&
      timecmp(aws_scheduler_schedule.model["titanic"].start_date, timeadd(plantimestamp(), "168h55m")) < 0
    )
    error_message = "A rate() schedule first asks one interval after it was made, not at once."
  }

  assert {
    condition = [
      aws_scheduler_schedule.model["titanic"].target[0].arn,
      aws_scheduler_schedule.model["titanic"].target[0].dead_letter_config[0].arn,
      ] == [
      "arn:aws:sqs:eu-west-1:123456789012:handsoff-landings",
      "arn:aws:sqs:eu-west-1:123456789012:handsoff-landings-failures",
    ]
    error_message = "The schedule sends to the landings queue; failed messages go to its failure queue."
  }

  assert {
    condition = jsondecode(aws_scheduler_schedule.model["titanic"].target[0].input) == {
      source = "handsoff"
      detail = {
        model       = "titanic"
        trigger     = "schedule"
        cause       = "<aws.scheduler.scheduled-time>"
        requestedBy = "<aws.scheduler.schedule-arn>"
      }
    }
    error_message = "The schedule's message has the form of a person's request."
  }

  assert {
    condition     = strcontains(aws_scheduler_schedule.model["titanic"].target[0].input, "<aws.scheduler.scheduled-time>")
    error_message = "The schedule's placeholders are not escaped."
  }
}

run "roles" {
  assert {
    condition     = keys(aws_iam_role_policy.pipeline) == ["pipeline"]
    error_message = "Without key and network there are no permissions for them."
  }

  assert {
    condition = [for document in [
      aws_iam_role.pipeline[0].assume_role_policy, aws_iam_role.schedules.assume_role_policy
      ] : [
      jsondecode(document).Statement[0].Principal.Service,
      jsondecode(document).Statement[0].Condition.StringEquals["aws:SourceAccount"],
      ]] == [
      ["sagemaker.amazonaws.com", "123456789012"],
      ["scheduler.amazonaws.com", "123456789012"],
    ]
    error_message = "Each service assumes its role for this account only."
  }

  assert {
    condition = [
      for statement in concat(
        jsondecode(aws_iam_role_policy.pipeline["pipeline"].policy).Statement,
        jsondecode(aws_iam_policy.operator_publish.policy).Statement,
      ) : [statement.Resource, statement.Condition] if statement.Action == "iam:PassRole"
      ] == [for _ in range(2) : [
        "arn:aws:iam::123456789012:role/handsoff-pipeline",
        { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } },
    ]]
    error_message = "Only the pipelines' role may be passed, and only to SageMaker."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.pipeline["pipeline"].policy).Statement : statement.Resource
      if strcontains(jsonencode(statement.Action), "s3:Put")
      ])) == toset([for folder in ["batches", "models", "runs"] :
      "arn:aws:s3:::handsoff-data-123456789012-eu-west-1/${folder}/*"
    ])
    error_message = "Pipelines write manifests, runs and models only."
  }

  assert {
    condition     = length(aws_iam_user.operator) == 0
    error_message = "Without a name no user is made."
  }

  assert {
    condition     = length(replace(jsonencode(jsondecode(aws_iam_policy.operator.policy)), "/\\s/", "")) < 6144
    error_message = "A managed policy holds 6144 characters."
  }
}

run "tags" {
  variables {
    tags = { team = "ml" }
  }

  assert {
    condition     = local.tags == { team = "ml", "handsoff:prefix" = "handsoff" }
    error_message = "Everything has the given tags and the prefix."
  }
}

run "existing_bucket" {
  variables {
    bucket = "acme-data"
  }

  assert {
    condition = sum([
      length(aws_s3_bucket.data),
      length(aws_s3_bucket_public_access_block.data),
      length(aws_s3_bucket_ownership_controls.data),
      length(aws_s3_bucket_versioning.data),
      length(aws_s3_bucket_server_side_encryption_configuration.data),
      length(aws_s3_bucket_policy.data),
      length(aws_s3_bucket_lifecycle_configuration.data),
      length(aws_s3_bucket_notification.data),
    ]) == 0
    error_message = "An existing bucket is not changed."
  }

  assert {
    condition     = nonsensitive(aws_ssm_parameter.data_bucket.value) == "acme-data" && output.bucket == "acme-data"
    error_message = "The SSM parameter names the existing bucket."
  }

  assert {
    condition = alltrue([
      for policy in [aws_iam_role_policy.pipeline["pipeline"].policy, aws_iam_policy.operator.policy] :
      strcontains(policy, "arn:aws:s3:::acme-data/") && !strcontains(policy, "handsoff-data")
    ])
    error_message = "Policies name the existing bucket only."
  }
}

run "existing_role" {
  variables {
    pipeline_role = "arn:aws:iam::123456789012:role/ml/acme-pipelines"
  }

  assert {
    condition     = length(aws_iam_role.pipeline) + length(aws_iam_role_policy.pipeline) == 0
    error_message = "An existing role is not changed."
  }

  assert {
    condition = toset([for pipeline in aws_sagemaker_pipeline.model : pipeline.role_arn]) == toset([
      "arn:aws:iam::123456789012:role/ml/acme-pipelines"
    ])
    error_message = "Pipelines run as the existing role."
  }

  assert {
    condition = alltrue([
      strcontains(aws_s3_bucket_policy.data[0].policy, "role/ml/acme-pipelines\""),
      strcontains(aws_iam_policy.operator_publish.policy, "role/ml/acme-pipelines\""),
      !strcontains(aws_iam_policy.operator_publish.policy, "role/handsoff-pipeline\""),
    ])
    error_message = "Only the existing role writes models and may be passed."
  }
}

run "unsigned" {
  variables {
    operator = "data-science-user"
  }

  assert {
    condition = [
      length(aws_kms_key.evidence),
      length(aws_iam_policy.operator_signing),
      length(aws_s3_bucket_object_lock_configuration.data),
      length(aws_iam_policy.operator_lock),
    ] == [0, 0, 0, 0]
    error_message = "Without evidence.signing_key and evidence.object_lock nothing is signed or locked."
  }

  assert {
    condition     = length(aws_iam_user_policy_attachment.operator_evidence) == 1
    error_message = "The user may read and write evidence."
  }
}

run "signing_key_is_made" {
  variables {
    create_signing_key = true
    earlier_keys       = ["arn:aws:kms:eu-west-1:123456789012:key/ea12"]
    operator           = "data-science-user"
  }

  assert {
    condition = [
      aws_kms_key.evidence[0].customer_master_key_spec,
      aws_kms_key.evidence[0].key_usage,
      aws_kms_alias.evidence[0].name,
    ] == ["ECC_NIST_P256", "SIGN_VERIFY", "alias/handsoff-evidence"]
    error_message = "The key signs by ECDSA on P-256, and the alias names it."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_policy.operator_signing[0].policy).Statement : statement.Resource
      ] == [
      "arn:aws:kms:eu-west-1:123456789012:key/5192ed",
      ["arn:aws:kms:eu-west-1:123456789012:key/5192ed", "arn:aws:kms:eu-west-1:123456789012:key/ea12"],
    ]
    error_message = "Operators sign by the key, and read its public key and those of earlier ones."
  }

  assert {
    condition     = length(aws_iam_user_policy_attachment.operator_signing) == 1
    error_message = "The user may sign."
  }
}

run "existing_signing_key" {
  variables {
    signing_key = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd"
  }

  assert {
    condition     = length(aws_kms_key.evidence) == 0
    error_message = "An existing key is used as it is."
  }

  assert {
    condition     = strcontains(aws_iam_policy.operator_signing[0].policy, "key/0123abcd")
    error_message = "Operators sign by the existing key."
  }
}

run "locked" {
  variables {
    object_lock = true
  }

  assert {
    condition = [
      aws_s3_bucket_object_lock_configuration.data[0].object_lock_enabled,
      length(aws_s3_bucket_object_lock_configuration.data[0].rule),
    ] == ["Enabled", 0]
    error_message = "The bucket can lock objects, and locks none by default."
  }
}

run "locked_bucket_of_the_user" {
  variables {
    bucket      = "acme-data"
    object_lock = true
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.data) == 0
    error_message = "An existing bucket is not changed."
  }
}

run "key" {
  variables {
    kms_key  = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd"
    operator = "data-science-user"
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_server_side_encryption_configuration.data[0].rule : [
        rule.bucket_key_enabled,
        one(rule.apply_server_side_encryption_by_default).sse_algorithm,
        one(rule.apply_server_side_encryption_by_default).kms_master_key_id,
      ]
    ] == [[true, "aws:kms", "arn:aws:kms:eu-west-1:123456789012:key/0123abcd"]]
    error_message = "The key encrypts the bucket."
  }

  assert {
    condition = toset([
      for policy in [aws_iam_role_policy.pipeline["pipeline-kms"].policy, aws_iam_policy.operator_data_key[0].policy] :
      jsondecode(policy).Statement[0].Resource
    ]) == toset(["arn:aws:kms:eu-west-1:123456789012:key/0123abcd"])
    error_message = "Pipelines and operators may use this key only."
  }

  assert {
    condition     = length(aws_iam_user_policy_attachment.operator_data_key) == 1
    error_message = "The user may use the key."
  }
}

run "links" {
  variables {
    link_secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:LinkSecret-0a1b2c"
    operator    = "data-science-user"
  }

  assert {
    condition = jsondecode(aws_iam_policy.operator_links[0].policy).Statement == [
      {
        Sid      = "MintLinks"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:LinkSecret-0a1b2c"
      }
    ]
    error_message = "Operators may read this secret only."
  }

  assert {
    condition     = length(aws_iam_user_policy_attachment.operator_links) == 1
    error_message = "The user may mint links."
  }
}

run "network" {
  variables {
    subnets         = ["subnet-01234567"]
    security_groups = ["sg-01234567"]
  }

  assert {
    condition     = keys(aws_iam_role_policy.pipeline) == ["pipeline", "pipeline-vpc"]
    error_message = "Jobs may have network interfaces."
  }
}

run "boundary_and_user" {
  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
    operator             = "data-science-user"
  }

  assert {
    condition = [
      aws_iam_role.pipeline[0].permissions_boundary,
      aws_iam_role.schedules.permissions_boundary,
      aws_iam_user.operator[0].permissions_boundary,
    ] == [for _ in range(3) : "arn:aws:iam::123456789012:policy/boundary"]
    error_message = "Every role and user has the permissions boundary."
  }

  assert {
    condition = [
      aws_iam_user_policy_attachment.operator[0].user,
      aws_iam_user_policy_attachment.operator_publish[0].user,
      jsondecode(aws_iam_user_policy.operator_keys[0].policy).Statement[0].Resource,
    ] == ["data-science-user", "data-science-user", "arn:aws:iam::123456789012:user/$${aws:username}"]
    error_message = "The user has the operator's policies and may rotate only its own keys."
  }
}

run "no_schedule" {
  variables {
    models = { fares = { definition = "{}", config = "{}", schedule = null } }
  }

  assert {
    condition     = length(aws_scheduler_schedule.model) == 0
    error_message = "Without a schedule none is made."
  }
}

run "cron_schedule" {
  variables {
    models = { fares = { definition = "{}", config = "{}", schedule = "cron(0 6 ? * MON *)" } }
  }

  assert {
    condition     = aws_scheduler_schedule.model["fares"].start_date == null
    error_message = "A cron() schedule needs no start date: it asks at its times only."
  }
}

run "rate_without_a_start_is_refused" {
  command = plan

  variables {
    models = { fares = { definition = "{}", config = "{}", schedule = "rate(7 days)" } }
  }

  expect_failures = [var.models]
}

run "stale_file_is_refused" {
  command = plan

  variables {
    rendered_from = merge(
      { for path in fileset("..", "pipeline_def/**/*.py") : path => filesha256("../${path}") },
      { "pipeline_def/images.py" = "0000000000000000000000000000000000000000000000000000000000000000" },
    )
  }

  expect_failures = [data.aws_caller_identity.here]
}

run "deleted_file_is_refused" {
  command = plan

  variables {
    rendered_from = merge(
      { for path in fileset("..", "pipeline_def/**/*.py") : path => filesha256("../${path}") },
      { "pipeline_def/gone.py" = "0000000000000000000000000000000000000000000000000000000000000000" },
    )
  }

  expect_failures = [data.aws_caller_identity.here]
}

run "new_file_is_refused" {
  command = plan

  variables {
    rendered_from = {
      for path in fileset("..", "pipeline_def/**/*.py") : path => filesha256("../${path}")
      if path != "pipeline_def/images.py"
    }
  }

  expect_failures = [data.aws_caller_identity.here]
}

run "another_account_is_refused" {
  command = plan

  variables {
    account = "210987654321"
  }

  expect_failures = [data.aws_caller_identity.here]
}

run "another_region_is_refused" {
  command = plan

  variables {
    region = "us-east-1"
  }

  expect_failures = [data.aws_region.here]
}

run "other_prefix_needs_its_own_workspace" {
  command = plan

  variables {
    prefix = "handsoffdev"
  }

  expect_failures = [data.aws_caller_identity.here]
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    prefix               = "hands-off"
    account              = "1234"
    region               = "Ireland"
    images               = ["sagemaker-scikit-learn:1.9-0-cpu-py3"]
    bucket               = "My_Bucket"
    pipeline_role        = "handsoff-pipeline"
    subnets              = ["10.0.0.0/16"]
    kms_key              = "alias/data"
    permissions_boundary = "boundary"
    operator             = "a user"
    link_secret          = "LinkSecret"
    tags                 = { "aws:team" = "ml" }
    rendered_from        = { "handsoff.yaml" = "new" }
  }

  expect_failures = [
    var.prefix,
    var.account,
    var.region,
    var.images,
    var.bucket,
    var.pipeline_role,
    var.subnets,
    var.kms_key,
    var.permissions_boundary,
    var.operator,
    var.link_secret,
    var.tags,
    var.rendered_from,
  ]
}

run "subnets_without_security_groups_are_refused" {
  command = plan

  variables {
    subnets = ["subnet-01234567"]
  }

  expect_failures = [var.security_groups]
}

run "security_group_names_are_refused" {
  command = plan

  variables {
    subnets         = ["subnet-01234567"]
    security_groups = ["default"]
  }

  expect_failures = [var.security_groups]
}

run "versions_that_executions_read_do_not_expire" {
  command = plan

  variables {
    version_days = 13
  }

  expect_failures = [var.version_days]
}

run "no_models_are_refused" {
  command = plan

  variables {
    models = {}
  }

  expect_failures = [var.models]
}

run "model_names_with_wrong_characters_are_refused" {
  command = plan

  variables {
    models = { Titanic = { definition = "{}", config = "{}" } }
  }

  expect_failures = [var.models]
}

run "definition_without_json_is_refused" {
  command = plan

  variables {
    models = { titanic = { definition = "steps:", config = "{}" } }
  }

  expect_failures = [var.models]
}
