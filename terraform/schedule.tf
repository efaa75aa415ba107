# What happens by the clock.

resource "google_cloud_scheduler_job" "deliver" {
  project          = local.project
  region           = var.region
  name             = "${var.name}-deliver"
  description      = "Posts what is pending to Slack"
  schedule         = "* * * * *"
  time_zone        = "UTC"
  attempt_deadline = "180s" # a task ends itself within the minute

  # No retries: the next one comes within a minute.
  http_target {
    http_method = "POST"
    uri         = "${local.url}/tasks/deliver"

    oidc_token {
      service_account_email = google_service_account.this["scheduler"].email
      audience              = local.url
    }
  }

  depends_on = [google_cloud_run_service_iam_member.invoker]
}

resource "google_cloud_scheduler_job" "summary" {
  project          = local.project
  region           = var.region
  name             = "${var.name}-summary"
  description      = "Posts the weekly summary to Slack"
  schedule         = var.summary_schedule
  time_zone        = var.time_zone
  attempt_deadline = "180s" # a task ends itself within the minute

  # Who repeats it updates the same message, so a lost week is the only thing to fear.
  retry_config {
    retry_count          = 5
    min_backoff_duration = "60s"
    max_backoff_duration = "3600s"
  }

  http_target {
    http_method = "POST"
    uri         = "${local.url}/tasks/summary"

    oidc_token {
      service_account_email = google_service_account.this["scheduler"].email
      audience              = local.url
    }
  }

  depends_on = [google_cloud_run_service_iam_member.invoker]
}
