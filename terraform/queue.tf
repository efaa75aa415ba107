# From the topic to the function, and aside where that fails. The subscription is our own, not one that Eventarc
# makes: only so can it have a dead-letter topic and carry entries of full size.
# https://cloud.google.com/pubsub/docs/handling-failures

resource "google_pubsub_topic" "entries" {
  project = local.project
  name    = var.name
}

resource "google_pubsub_subscription" "entries" {
  project = local.project
  name    = var.name
  topic   = google_pubsub_topic.entries.id

  # The most there is, and longer than the function may take, or an entry is delivered again while it is still being
  # judged. It costs nothing: a failure answers at once and does not wait for this.
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s" # 7 days

  expiration_policy {
    ttl = "" # never, however quiet the log
  }

  push_config {
    push_endpoint = "${local.url}/"

    oidc_token {
      service_account_email = google_service_account.this["push"].email
      audience              = local.url
    }
  }

  # Five attempts 1, 2, 4 and 8 minutes apart: an outage of a quarter of an hour passes unnoticed.
  retry_policy {
    minimum_backoff = "60s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = var.max_delivery_attempts
  }

  depends_on = [google_cloud_run_service_iam_member.invoker]
}

resource "google_pubsub_topic" "dead_letter" {
  project = local.project
  name    = "${var.name}-dead-letter"
}

# Keeps what failed until somebody brings it back (docs/gcp.md); a topic alone keeps nothing.
resource "google_pubsub_subscription" "dead_letter" {
  project = local.project
  name    = "${var.name}-dead-letter"
  topic   = google_pubsub_topic.dead_letter.id

  ack_deadline_seconds       = 600
  message_retention_duration = "2678400s" # 31 days, the most there is

  expiration_policy {
    ttl = ""
  }

  # Asked for when dead letters are brought back: by then the push goes to the function.
  retry_policy {
    minimum_backoff = "60s"
    maximum_backoff = "600s"
  }
}

# Pub/Sub moves dead letters as its own account, which needs both, or it silently keeps retrying.

resource "google_pubsub_topic_iam_member" "dead_letter" {
  project = local.project
  topic   = google_pubsub_topic.dead_letter.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${local.pubsub_agent}"
}

resource "google_pubsub_subscription_iam_member" "dead_letter" {
  project      = local.project
  subscription = google_pubsub_subscription.entries.name
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:${local.pubsub_agent}"
}

# Projects made after April 2021 have this by themselves.
resource "google_service_account_iam_member" "push_token" {
  service_account_id = google_service_account.this["push"].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = "serviceAccount:${local.pubsub_agent}"
}

# What can't be posted to Slack is said here instead, and an alert tells that something waits.

resource "google_pubsub_topic" "second_way" {
  project = local.project
  name    = "${var.name}-second-way"
}

resource "google_pubsub_subscription" "second_way" {
  project                    = local.project
  name                       = "${var.name}-second-way"
  topic                      = google_pubsub_topic.second_way.id
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "second_way" {
  project = local.project
  topic   = google_pubsub_topic.second_way.name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.this["function"].member
}
