# What is logged, and which of it reaches the topic.

locals {
  audit_logs = var.audit_logs == null ? {} : var.audit_logs

  # Exchanges and impersonations are chosen by service and method, never by who called: where the caller is
  # missing, that is what has to be seen. Left out is the function itself, or its own calls would be judged, which
  # makes calls, which would be judged; and Google's agents signing in as the two accounts that call it. Whoever
  # *impersonates* the function's account is not left out: such a call carries a principal:// or a GKE identity. Nor is
  # the function's account where it impersonates another, which the function never does: somebody has taken it over.
  # IAM's own SignBlob and SignJwt are deprecated, and answer all the same.
  # https://cloud.google.com/iam/docs/migrating-to-credentials-api
  # https://cloud.google.com/logging/docs/view/logging-query-language
  filter = templatefile("${path.module}/filter.tftpl", {
    self            = local.emails.function
    push            = local.emails.push
    scheduler       = local.emails.scheduler
    pubsub_agent    = local.pubsub_agent
    scheduler_agent = local.scheduler_agent
    watched         = sort(var.watched_service_accounts)
  })

  topic = "pubsub.googleapis.com/${google_pubsub_topic.entries.id}"

  writer = one(concat(
    google_logging_project_sink.entries[*].writer_identity,
    google_logging_folder_sink.entries[*].writer_identity,
    google_logging_organization_sink.entries[*].writer_identity,
  ))
}

# Each of these owns the whole audit configuration of its service at the scope: see the variable.

resource "google_project_iam_audit_config" "scope" {
  for_each = var.scope.project == null ? {} : local.audit_logs

  project = var.scope.project
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value
    content {
      log_type         = audit_log_config.key
      exempted_members = audit_log_config.value
    }
  }
}

resource "google_folder_iam_audit_config" "scope" {
  for_each = var.scope.folder == null ? {} : local.audit_logs

  folder  = "folders/${var.scope.folder}"
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value
    content {
      log_type         = audit_log_config.key
      exempted_members = audit_log_config.value
    }
  }
}

resource "google_organization_iam_audit_config" "scope" {
  for_each = var.scope.organization == null ? {} : local.audit_logs

  org_id  = var.scope.organization
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value
    content {
      log_type         = audit_log_config.key
      exempted_members = audit_log_config.value
    }
  }
}

resource "google_logging_project_sink" "entries" {
  count = var.scope.project == null ? 0 : 1

  project                = var.scope.project
  name                   = var.name
  description            = "Federated access, to callerid"
  destination            = local.topic
  filter                 = local.filter
  unique_writer_identity = true
}

# Children are included and not intercepted: their own sinks and buckets go on getting the entries.

resource "google_logging_folder_sink" "entries" {
  count = var.scope.folder == null ? 0 : 1

  folder           = "folders/${var.scope.folder}"
  name             = var.name
  description      = "Federated access, to callerid"
  destination      = local.topic
  filter           = local.filter
  include_children = true
}

resource "google_logging_organization_sink" "entries" {
  count = var.scope.organization == null ? 0 : 1

  org_id           = var.scope.organization
  name             = var.name
  description      = "Federated access, to callerid"
  destination      = local.topic
  filter           = local.filter
  include_children = true
}

resource "google_pubsub_topic_iam_member" "sink" {
  project = local.project
  topic   = google_pubsub_topic.entries.name
  role    = "roles/pubsub.publisher"
  member  = local.writer # has its "serviceAccount:" already
}
