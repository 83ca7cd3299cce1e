terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# Region, account and credentials come from the environment, as for every other AWS client. AWS_ENDPOINT_URL selects AWS
# on this machine.
provider "aws" {
  default_tags {
    tags = local.tags
  }
}
