# When callerid itself fails, somebody hears of it from Cloud Monitoring, which needs neither the function nor Slack.
# docs/gcp.md says of each alert what to do.

locals {
  function_log = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=\"${var.name}\"",
  ])

  # What the function says of each batch and of each delivery to Slack, as metrics, for charts.
  figures = {
    records                = "Log entries"
    findings               = "Findings"
    unreadable             = "Entries that could not be read"
    pending_alerts         = "Messages that wait for Slack"
    oldest_pending_seconds = "How long the oldest of them has waited"
    lag_seconds            = "From the log entry to its judgement"
  }

  # Alerts on a line in the log. Not on a metric made from it: an alert on a metric that is as new as itself is
  # refused, and the first `terraform apply` would fail.
  log_alerts = {
    policy-invalid = {
      title = "the policy is not valid"
      match = "jsonPayload.event=\"policy_invalid\""
      help  = "The caller book can't be used. The last good one goes on being used, so callers that were added since are reported. The log line says what is wrong; `callerid check` says it too."
    }
    task-failed = {
      title = "a scheduled task failed"
      match = "jsonPayload.event=\"task_failed\""
      help  = "Posting pending messages or the weekly summary failed; the log line says why. Pending messages are tried again every minute."
    }
    pending = {
      title = "messages wait for Slack"
      match = "jsonPayload.oldest_pending_seconds>600" # ten attempts of the task that posts them
      help  = "Findings are recorded and not posted for ten minutes. Most often Slack refuses the token or the channel. Nothing is lost: they are posted once Slack takes them."
    }
  }

  # Alerts on a number that is too high, over ten minutes.
  metric_alerts = merge({
    errors = {
      title = "the function fails"
      filter = join(" AND ", [
        local.function_log,
        "metric.type=\"run.googleapis.com/request_count\"",
        "metric.labels.response_code_class=\"5xx\"",
      ])
      aligner = "ALIGN_DELTA"
      over    = 5 # single failures are retried, and no reason to wake anybody
      help    = "More than five requests in ten minutes failed. Entries are tried again, and then put aside as dead letters. See the function's log."
    }
    dead-letters = {
      title = "entries are put aside"
      filter = join(" AND ", [
        "resource.type=\"pubsub_subscription\"",
        "resource.labels.subscription_id=\"${google_pubsub_subscription.dead_letter.name}\"",
        "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\"",
      ])
      aligner = "ALIGN_MAX"
      over    = 0
      help    = "Entries failed too often and were not judged. They are kept for 31 days: repair the cause, then bring them back (docs/gcp.md)."
    }
    second-way = {
      title = "a message took the second way"
      filter = join(" AND ", [
        "resource.type=\"pubsub_subscription\"",
        "resource.labels.subscription_id=\"${google_pubsub_subscription.second_way.name}\"",
        "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\"",
      ])
      aligner = "ALIGN_MAX"
      over    = 0
      help    = "callerid can't say something on Slack and said it here. Read it: gcloud pubsub subscriptions pull ${google_pubsub_subscription.second_way.name} --auto-ack --limit=10 --project=${var.project_id}"
    }
    },
    # A sink's errors are counted in the project that it is in. Those of a folder or an organization are counted
    # nowhere: an alert on them would never fire. There, silence tells.
    var.scope.project != var.project_id ? {} : {
      sink-errors = {
        title = "the log sink can't write"
        filter = join(" AND ", [
          "resource.type=\"logging_sink\"",
          "resource.labels.name=\"${var.name}\"",
          "metric.type=\"logging.googleapis.com/exports/error_count\"",
        ])
        aligner = "ALIGN_DELTA"
        over    = 0
        help    = "Entries don't reach the topic, and are not sent later. Does the sink's writer still have roles/pubsub.publisher on the topic?"
      }
  })

  # Alerts on what stopped.
  absence_alerts = {
    silence = {
      title = "no log entries for ${var.silence_hours} hours"
      filter = join(" AND ", [
        "resource.type=\"pubsub_topic\"",
        "resource.labels.topic_id=\"${google_pubsub_topic.entries.name}\"",
        "metric.type=\"pubsub.googleapis.com/topic/send_message_operation_count\"",
      ])
      seconds = var.silence_hours * 3600
      help    = "Either nobody crossed, or audit logs were switched off, somebody was exempted, or the sink was changed or can't write. Make one exchange and see whether it arrives (docs/gcp.md)."
    }
    stopped = {
      title = "the function does not answer"
      filter = join(" AND ", [
        local.function_log,
        "metric.type=\"run.googleapis.com/request_count\"",
        "metric.labels.response_code_class=\"2xx\"",
      ])
      seconds = 900 # fifteen runs of the task that is started every minute
      help    = "Nothing was answered with success for a quarter of an hour, though Cloud Scheduler asks every minute. Is the schedule paused, or the right to call the function gone?"
    }
  }

  channels = concat(var.notification_channels, google_monitoring_notification_channel.email[*].name)
}

resource "google_monitoring_notification_channel" "email" {
  count = var.alert_email == null ? 0 : 1

  project      = local.project
  type         = "email"
  display_name = "${var.name}: ${var.alert_email}"
  labels       = { email_address = var.alert_email }
}

resource "google_logging_metric" "figure" {
  for_each = local.figures

  project         = local.project
  name            = "${var.name}/${each.key}"
  description     = each.value
  filter          = "${local.function_log} AND jsonPayload.${each.key}>=0"
  value_extractor = "EXTRACT(jsonPayload.${each.key})"

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "DISTRIBUTION"
    unit         = endswith(each.key, "_seconds") ? "s" : "1"
    display_name = each.value
  }
}

resource "google_monitoring_alert_policy" "log" {
  for_each = local.log_alerts

  project               = local.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter = "${local.function_log} AND ${each.value.match}"
    }
  }

  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    content   = each.value.help
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "metric" {
  for_each = local.metric_alerts

  project               = local.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.over
      duration        = "0s"

      aggregations {
        alignment_period     = "600s"
        per_series_aligner   = each.value.aligner
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = each.value.help
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "absence" {
  for_each = local.absence_alerts

  project               = local.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  # Where nothing happens a metric has no values, or zeros; either is silence.
  conditions {
    display_name = "no values"
    condition_absent {
      filter   = each.value.filter
      duration = "${each.value.seconds}s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
  conditions {
    display_name = "nothing but zeros"
    condition_threshold {
      filter          = each.value.filter
      comparison      = "COMPARISON_LT"
      threshold_value = 1
      duration        = "0s"

      aggregations {
        alignment_period     = "${each.value.seconds}s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content   = each.value.help
    mime_type = "text/markdown"
  }
}
