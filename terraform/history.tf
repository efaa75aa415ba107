# The second way in: logs that were copied to a bucket (`history_bucket`). Each object is one message on the same topic,
# and the same function reads it into the same ledger; what was judged before is not counted again.
# https://cloud.google.com/storage/docs/pubsub-notifications

locals {
  history = var.history_bucket == null ? {} : { this = var.history_bucket }
}

data "google_storage_project_service_account" "this" {
  for_each = local.history

  project = var.project_id
}

resource "google_pubsub_topic_iam_member" "history" {
  for_each = local.history

  project = local.project
  topic   = google_pubsub_topic.entries.name
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.this[each.key].member
}

resource "google_storage_notification" "history" {
  for_each = local.history

  bucket         = each.value
  topic          = google_pubsub_topic.entries.id
  event_types    = ["OBJECT_FINALIZE"]
  payload_format = "NONE" # bucket and object stand in the attributes

  depends_on = [google_pubsub_topic_iam_member.history]
}

resource "google_storage_bucket_iam_member" "history" {
  for_each = local.history

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = google_service_account.this["function"].member
}
