# Where callerid's Lambdas keep their ledger here too (`aws_lambda`): their roles exchange their credentials at a provider
# of ours and act as an account that may use the ledger and nothing else. There is no key.
# https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds

locals {
  lambda = var.aws_lambda == null ? {} : { this = var.aws_lambda }

  # As the default mapping writes them: without path and session.
  lambda_roles = {
    for role in try(var.aws_lambda.roles, []) : role => "arn:aws:sts::${var.aws_lambda.account_id}:assumed-role/${role}"
  }
}

resource "google_iam_workload_identity_pool" "aws" {
  for_each = local.lambda

  project                   = local.project
  workload_identity_pool_id = "${var.name}-aws"
  display_name              = "${var.name} on AWS"
}

resource "google_iam_workload_identity_pool_provider" "aws" {
  for_each = local.lambda

  project                            = local.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.aws[each.key].workload_identity_pool_id
  workload_identity_pool_provider_id = "${var.name}-aws"
  display_name                       = "${var.name}'s Lambda"

  aws {
    account_id = each.value.account_id
  }

  # The default mapping, written out. Without the condition every role of the AWS account could come.
  attribute_mapping = {
    "google.subject"     = "assertion.arn"
    "attribute.aws_role" = "assertion.arn.contains('assumed-role') ? assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/' + assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn"
  }
  attribute_condition = format("attribute.aws_role in ['%s']", join("', '", values(local.lambda_roles)))
}

resource "google_service_account" "lambda" {
  for_each = local.lambda

  project      = local.project
  account_id   = "${var.name}-lambda"
  display_name = "${var.name} lambda"
  description  = "callerid's Lambda keeps its ledger as this account"
}

resource "google_service_account_iam_member" "lambda" {
  for_each = local.lambda_roles

  service_account_id = google_service_account.lambda["this"].name
  role               = "roles/iam.workloadIdentityUser"
  member = format(
    "principalSet://iam.googleapis.com/%s/attribute.aws_role/%s",
    google_iam_workload_identity_pool.aws["this"].name, each.value,
  )
}

resource "google_project_iam_member" "lambda_ledger" {
  for_each = local.lambda

  project = local.project
  role    = "roles/datastore.user"
  member  = google_service_account.lambda[each.key].member

  condition {
    title       = "only ${var.name}'s ledger"
    description = "No other Firestore database of the project."
    expression  = local.is_ledger
  }
}
