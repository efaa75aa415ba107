# Where callerid's Lambda keeps its ledger here too (`aws_lambda`): its role exchanges its credentials at a provider of
# ours and acts as an account that may use the ledger and nothing else. There is no key.
# https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds

locals {
  lambda = var.aws_lambda == null ? {} : { this = var.aws_lambda }
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
  attribute_condition = "attribute.aws_role == 'arn:aws:sts::${each.value.account_id}:assumed-role/${each.value.role}'"
}

resource "google_service_account" "lambda" {
  for_each = local.lambda

  project      = local.project
  account_id   = "${var.name}-lambda"
  display_name = "${var.name} lambda"
  description  = "callerid's Lambda keeps its ledger as this account"
}

resource "google_service_account_iam_member" "lambda" {
  for_each = local.lambda

  service_account_id = google_service_account.lambda[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member = format(
    "principalSet://iam.googleapis.com/%s/attribute.aws_role/arn:aws:sts::%s:assumed-role/%s",
    google_iam_workload_identity_pool.aws[each.key].name, each.value.account_id, each.value.role,
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
