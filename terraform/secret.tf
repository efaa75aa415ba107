# Slack's bot token, or an incoming webhook's URL. Terraform makes the secret and never sees the token, which would
# stay in its state: you add the version yourself (docs/gcp.md), before the function is deployed and whenever the
# token changes.

resource "google_secret_manager_secret" "slack_token" {
  project   = local.project
  secret_id = "${var.name}-slack-token"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_iam_member" "slack_token" {
  project   = local.project
  secret_id = google_secret_manager_secret.slack_token.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this["function"].member
}
