output "url" {
  description = "The function's address. Only the push and the scheduler account may call it, from inside the project."
  value       = local.url
}

output "function_service_account" {
  description = "Who the function acts as: for your caller book, and by its unique id for an AWS trust policy."
  value = {
    email     = local.emails.function
    unique_id = google_service_account.this["function"].unique_id
  }
}

output "slack_token_secret" {
  description = "The secret that a version with Slack's bot token is added to."
  value       = google_secret_manager_secret.slack_token.secret_id
}

output "sink_writer" {
  description = "Who writes to the topic. An organization policy that restricts domains may have to let it in."
  value       = local.writer
}

output "topic" {
  description = "The topic that entries arrive on."
  value       = google_pubsub_topic.entries.id
}

output "dead_letter_subscription" {
  description = "Where entries wait that failed too often."
  value       = google_pubsub_subscription.dead_letter.name
}

output "push_service_account" {
  description = "Who entries are delivered as; needed to bring dead letters back."
  value       = local.emails.push
}

output "ledger" {
  description = "The ledger's address, for the command line."
  value       = split("?", local.ledger)[0]
}

output "exempted_members" {
  description = "Whose exchanges and impersonations are not logged, and so never judged."
  value       = toset(flatten([for types in values(local.audit_logs) : [for members in values(types) : tolist(members)]]))
}

output "aws_provider" {
  description = "Where callerid's Lambdas sign in, whom they then act as, and both as their stack's FirestoreLedger; null without `aws_lambda`."
  value = one([for key in keys(local.lambda) : {
    provider        = google_iam_workload_identity_pool_provider.aws[key].name
    service_account = google_service_account.lambda[key].email
    ledger = format(
      "%s?provider=%s&service_account=%s",
      local.firestore, google_iam_workload_identity_pool_provider.aws[key].name, google_service_account.lambda[key].email,
    )
  }])
}
