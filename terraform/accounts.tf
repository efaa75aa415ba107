# Who acts. Each account does one thing, and nothing else may act as it. What each is granted stands beside the
# thing that it is granted on; what only a project can grant stands here.

locals {
  accounts = {
    function  = "Judges log entries, keeps the ledger, posts to Slack"
    push      = "Pub/Sub delivers log entries to the function as this account"
    scheduler = "Cloud Scheduler starts deliveries and the summary as this account"
    build     = "Cloud Build makes the function's image as this account"
  }

  # Known before the accounts are there, so that a plan shows the filter as it will be.
  emails = { for role in keys(local.accounts) : role => "${var.name}-${role}@${var.project_id}.iam.gserviceaccount.com" }

  is_ledger = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.ledger.name}\""

  # Google's own, which act for Pub/Sub and Cloud Scheduler in this project.
  pubsub_agent    = "service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  scheduler_agent = "service-${data.google_project.this.number}@gcp-sa-cloudscheduler.iam.gserviceaccount.com"
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = local.project
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name} ${each.key}"
  description  = each.value
}

resource "google_project_iam_member" "ledger" {
  project = local.project
  role    = "roles/datastore.user"
  member  = google_service_account.this["function"].member

  condition {
    title       = "only ${var.name}'s ledger"
    description = "No other Firestore database of the project."
    expression  = local.is_ledger
  }
}

resource "google_project_iam_member" "build_logs" {
  project = local.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.this["build"].member
}

# A build runs code of the packages that it installs. It may read what is to be built, and no other bucket.
resource "google_project_iam_member" "build_source" {
  project = local.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.this["build"].member

  condition {
    title       = "only sources of functions"
    description = "Cloud Functions copies the source into a bucket of this name, which it makes at the first deployment."
    expression  = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-\")"
  }
}
