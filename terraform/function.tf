# The function: its archive, its build, its service, and who may call it.

locals {
  policy_bucket = one(regex("^(?:gs://([^/]+)/.+)?", var.policy))
  policy_object = one(regex("^(?:gs://[^/]+/(.+))?", var.policy))
  policy_secret = regex("^(?:secret:projects/(?P<project>[^/]+)/secrets/(?P<name>[^/]+)/)?", var.policy)

  # The service's own address, which callers inside the project reach it by, and the audience of their tokens.
  url = data.google_cloud_run_v2_service.monitor.uri

  firestore = "firestore://${var.project_id}/${google_firestore_database.ledger.name}"
  ledger    = coalesce(var.aws_ledger, local.firestore)
}

# Contents, not a folder: the archive's hash then depends on nothing but what is in it, on every machine.
data "archive_file" "source" {
  type             = "zip"
  output_path      = "${path.module}/build/${var.name}.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = local.source_files
    content {
      filename = source.key
      content  = file(source.value)
    }
  }

  lifecycle {
    precondition {
      condition     = alltrue([for name in ["main.py", "requirements.txt"] : contains(keys(local.source_files), name)])
      error_message = "gcp_function/ must hold main.py and requirements.txt; is this a whole checkout?"
    }
    precondition {
      condition     = var.policy != "package:policy.yaml" || contains(keys(local.source_files), "policy.yaml")
      error_message = "policy is package:policy.yaml, and gcp_function/policy.yaml is not there. Copy examples/policy.yaml to it and write your callers in, or set policy to a gs:// or secret: address."
    }
  }
}

resource "google_storage_bucket" "source" {
  project                     = local.project
  name                        = "${var.project_id}-${var.name}-source"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true # it holds nothing but what this checkout makes again
}

resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "${data.archive_file.source.output_md5}.zip" # another name for another source, or it is not deployed
  source = data.archive_file.source.output_path
}

resource "google_artifact_registry_repository" "images" {
  project       = local.project
  location      = var.region
  repository_id = var.name
  format        = "DOCKER"
  description   = "Images of the function"

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 3 # to go back to
    }
  }
  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s" # 30 days
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = local.project
  location   = var.region
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.this["build"].member
}

resource "google_cloudfunctions2_function" "monitor" {
  project     = local.project
  location    = var.region
  name        = var.name
  description = "Judges federated access to Google Cloud and AWS, and tells Slack"

  build_config {
    runtime           = "python313"
    entry_point       = "handle"
    service_account   = google_service_account.this["build"].id
    docker_repository = google_artifact_registry_repository.images.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email = google_service_account.this["function"].email

    # Pub/Sub and Cloud Scheduler of this project count as internal; the internet does not, not even with a token.
    ingress_settings = "ALLOW_INTERNAL_ONLY"

    # The clients of Logging and Firestore take some 70 MB each, beside interpreter and framework: 256M is tight.
    available_memory = "512Mi"

    # An entry takes a fraction of a second, the first one of an instance some seconds. What takes minutes is a
    # large object of history; below the subscription's deadline of 600 s.
    timeout_seconds = 540

    # Slack takes one message a second, whatever the number of instances; more of them only judge faster.
    max_instance_count = var.max_instances
    min_instance_count = 0

    # The third of a processor that comes with this memory gains nothing from a second request at a time.
    max_instance_request_concurrency = 1

    environment_variables = {
      CALLERID_CHANNEL    = var.slack_channel
      CALLERID_PORTAL     = var.access_portal
      CALLERID_RUNBOOKS   = var.runbooks_url
      CALLERID_LEDGER     = local.ledger
      CALLERID_POLICY     = var.policy
      CALLERID_SECOND_WAY = "pubsub:${google_pubsub_topic.second_way.id}"
      CALLERID_TIMEZONE   = var.time_zone
      CALLERID_SESSIONS   = var.sessions ? "on" : "off"
    }

    secret_environment_variables {
      key        = "CALLERID_SLACK_TOKEN"
      project_id = local.project
      secret     = google_secret_manager_secret.slack_token.secret_id
      version    = "latest" # read when an instance starts
    }
  }

  # It does not start without the token, and is not built without the rest.
  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_project_iam_member.build_logs,
    google_project_iam_member.build_source,
    google_project_iam_member.ledger,
    google_secret_manager_secret_iam_member.slack_token,
    google_secret_manager_secret_iam_member.policy,
    google_storage_bucket_iam_member.policy,
  ]
}

# By the function's id, which is not known before the function is there: then this is read after it.
data "google_cloud_run_v2_service" "monitor" {
  project  = var.project_id
  location = var.region
  name     = basename(google_cloudfunctions2_function.monitor.id)
}

# Nobody else may call it; nowhere is it open to all.
resource "google_cloud_run_service_iam_member" "invoker" {
  for_each = toset(["push", "scheduler"])

  project  = local.project
  location = var.region
  service  = google_cloudfunctions2_function.monitor.name
  role     = "roles/run.invoker"
  member   = google_service_account.this[each.key].member
}

# The policy, where it is not in the package. The bucket must have uniform access, or it refuses the condition.

resource "google_storage_bucket_iam_member" "policy" {
  count = local.policy_bucket == null ? 0 : 1

  bucket = local.policy_bucket
  role   = "roles/storage.objectViewer"
  member = google_service_account.this["function"].member

  condition {
    title      = "only ${var.name}'s policy"
    expression = "resource.name == \"projects/_/buckets/${local.policy_bucket}/objects/${local.policy_object}\""
  }
}

resource "google_secret_manager_secret_iam_member" "policy" {
  count = local.policy_secret.name == null ? 0 : 1

  project   = local.policy_secret.project
  secret_id = local.policy_secret.name
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this["function"].member
}
