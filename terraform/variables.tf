# Needed

variable "project_id" {
  description = "The project that callerid runs in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id: got \"${var.project_id}\", expected a project id such as my-gcp-project (neither number nor name)."
  }
}

variable "region" {
  description = "Where the function, its source, its images and its schedules are, for instance europe-west1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region: got \"${var.region}\", expected a region such as europe-west1."
  }
}

variable "scope" {
  description = <<-EOT
    Whose log entries are judged: one of `{ project = "my-gcp-project" }`, `{ folder = "123456789012" }` and
    `{ organization = "123456789012" }`. A folder or an organization includes everything below it.
  EOT
  type = object({
    project      = optional(string)
    folder       = optional(string)
    organization = optional(string)
  })

  validation {
    condition     = length([for id in values(var.scope) : id if id != null]) == 1
    error_message = "scope: expected exactly one of project, folder and organization."
  }
  validation {
    condition     = var.scope.project == null || can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.scope.project))
    error_message = "scope.project: expected a project id such as my-gcp-project."
  }
  validation {
    condition     = alltrue([for id in [var.scope.folder, var.scope.organization] : id == null || can(regex("^[0-9]+$", id))])
    error_message = "scope: a folder or an organization is given by its number alone, such as 123456789012."
  }
}

variable "slack_channel" {
  description = <<-EOT
    The id of the Slack channel for what the policy routes nowhere else (at the foot of the channel's details), for
    instance C0123456789. With an incoming webhook in place of a bot token it is empty: the webhook is the channel.
  EOT
  type        = string

  validation {
    condition     = can(regex("^([CG][A-Z0-9]{8,20})?$", var.slack_channel))
    error_message = "slack_channel: got \"${var.slack_channel}\", expected a channel's id such as C0123456789, not its name."
  }
}

variable "alert_email" {
  description = "Who is told by e-mail when callerid itself fails. Give this, or `notification_channels`, or both."
  type        = string
  default     = null

  validation {
    condition     = var.alert_email == null || can(regex("^[^@\\s]+@[^@\\s]+$", var.alert_email))
    error_message = "alert_email: expected one e-mail address."
  }
}

variable "notification_channels" {
  description = "Notification channels of Cloud Monitoring, by full name, that are told when callerid itself fails."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for name in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", name))
    ])
    error_message = "notification_channels: expected names such as projects/my-gcp-project/notificationChannels/1234567890."
  }
  validation {
    # A monitor that fails unheard looks like a quiet week.
    condition     = var.alert_email != null || length(var.notification_channels) > 0
    error_message = "alert_email and notification_channels are both empty: when callerid fails, nobody would hear of it."
  }
}

# What is judged

variable "policy" {
  description = <<-EOT
    Where the caller book is: `package:policy.yaml` (gcp_function/policy.yaml of this checkout, deployed with the
    function), `gs://BUCKET/OBJECT` or `secret:projects/PROJECT/secrets/SECRET/versions/VERSION`. The last two
    change without a deployment.
  EOT
  type        = string
  default     = "package:policy.yaml"

  validation {
    condition = anytrue([
      var.policy == "package:policy.yaml",
      can(regex("^gs://[a-z0-9][a-z0-9._-]+[a-z0-9]/.+$", var.policy)),
      can(regex("^secret:projects/[^/]+/secrets/[^/]+/versions/[^/]+$", var.policy)),
    ])
    error_message = "policy: got \"${var.policy}\", expected package:policy.yaml, gs://BUCKET/OBJECT or secret:projects/PROJECT/secrets/SECRET/versions/VERSION."
  }
}

variable "watched_service_accounts" {
  description = <<-EOT
    E-mail addresses of service accounts all of whose calls are judged, not only those that name a federated
    caller: the accounts that your caller book requires an `origin` of, and those of its `may_reach` that persons or
    other service accounts impersonate, where their calls count beside the impersonation. Busy accounts make this
    the larger part of the bill.
  EOT
  type        = set(string)
  default     = []

  validation {
    condition = alltrue([
      for email in var.watched_service_accounts : can(regex("^[a-z0-9.:-]+@[a-z0-9.-]+\\.gserviceaccount\\.com$", email))
    ])
    error_message = "watched_service_accounts: expected e-mail addresses of service accounts."
  }
  validation {
    condition     = length(var.watched_service_accounts) <= 50
    error_message = "watched_service_accounts: at most 50; a sink's filter has at most 20,000 characters."
  }
}

variable "audit_logs" {
  description = <<-EOT
    The Data Access audit logs that are switched on at `scope`: by service, then by log type, the members that are
    exempted. Without them Google Cloud logs neither exchanges nor impersonations.

    Each service that is named is owned whole: what is set for it at `scope` today and not repeated here is
    removed. Look first, and repeat it (see docs/gcp.md). An exempted member is not seen at all.

    null leaves audit logs alone, for whoever sets them elsewhere, with google_project_iam_policy for instance. Where
    callerid has set them, null or another `scope` takes them away: see "Removing it" in docs/gcp.md first.
  EOT
  type        = map(map(set(string)))
  default = {
    "sts.googleapis.com" = { ADMIN_READ = [] }
    "iam.googleapis.com" = { ADMIN_READ = [] } # service account credentials are logged under this service
  }

  validation {
    condition = var.audit_logs == null || alltrue([
      for service in ["sts.googleapis.com", "iam.googleapis.com"] : can(var.audit_logs[service]["ADMIN_READ"])
    ])
    error_message = "audit_logs: sts.googleapis.com and iam.googleapis.com must both have ADMIN_READ, or audit_logs must be null."
  }
  validation {
    condition     = !can(var.audit_logs["iamcredentials.googleapis.com"])
    error_message = "audit_logs: iamcredentials.googleapis.com can't be switched on by itself; iam.googleapis.com does it."
  }
  validation {
    condition = var.audit_logs == null || alltrue(flatten([
      for types in values(coalesce(var.audit_logs, {})) :
      [for type in keys(types) : contains(["ADMIN_READ", "DATA_READ", "DATA_WRITE"], type)]
    ]))
    error_message = "audit_logs: a log type is ADMIN_READ, DATA_READ or DATA_WRITE."
  }
}

# How it runs

variable "name" {
  description = <<-EOT
    What everything is called after. Changed later, everything is made anew: with an empty ledger, without Slack's
    token. A second callerid in the same project has its own name, its own state and, at the same scope,
    `audit_logs = null`.
  EOT
  type        = string
  default     = "callerid"

  validation {
    # A service account's id has 30 characters, and "-scheduler" is appended; a Firestore database's has at least 4.
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.name))
    error_message = "name: got \"${var.name}\", expected 4 to 20 lower-case letters, digits and hyphens."
  }
}

variable "time_zone" {
  description = "The time zone of the weekly summary and of its schedule, for instance Europe/Berlin."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$", var.time_zone))
    error_message = "time_zone: got \"${var.time_zone}\", expected a name of the time zone database such as Europe/Berlin."
  }
}

variable "summary_schedule" {
  description = "When the weekly summary is posted, in `time_zone`, as five fields of cron."
  type        = string
  default     = "0 9 * * 1"

  validation {
    condition     = can(regex("^\\S+( \\S+){4}$", var.summary_schedule))
    error_message = "summary_schedule: got \"${var.summary_schedule}\", expected five fields of cron such as 0 9 * * 1."
  }
}

variable "firestore_location" {
  description = "Where the ledger is, for life: a region, or a multi-region such as eur3 or nam5. Default: `region`."
  type        = string
  default     = null
}

variable "max_instances" {
  description = "How many instances of the function there may be. Each judges one entry at a time, ten or so a second (an estimate)."
  type        = number
  default     = 5

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 100 && floor(var.max_instances) == var.max_instances
    error_message = "max_instances: expected a whole number from 1 to 100."
  }
}

variable "max_delivery_attempts" {
  description = "How often an entry is tried before it is put aside in the dead-letter topic."
  type        = number
  default     = 5

  validation {
    condition     = var.max_delivery_attempts >= 5 && var.max_delivery_attempts <= 100 # what Pub/Sub allows
    error_message = "max_delivery_attempts: expected 5 to 100."
  }
}

variable "silence_hours" {
  description = "After how many hours without any entry somebody is told. Lower it where the log is never still for long."
  type        = number
  default     = 23

  validation {
    condition     = var.silence_hours >= 1 && var.silence_hours <= 23 # Cloud Monitoring looks back 23.5 hours
    error_message = "silence_hours: expected 1 to 23."
  }
}

variable "access_portal" {
  description = "Name of the IAM Identity Center portal (NAME.awsapps.com), so that links to AWS open in the right account."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9-]{0,62})?$", var.access_portal))
    error_message = "access_portal: expected the portal's name without .awsapps.com."
  }
}

variable "runbooks_url" {
  description = "Where docs/reasons.md is served, for links."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^(https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~%/-]*)?)?$", var.runbooks_url))
    error_message = "runbooks_url: expected an https address without ? and #."
  }
}

variable "sessions" {
  description = "Whether the ledger keeps sessions for a day or two, to trace them; it writes six times as much."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels for everything that has labels, beside `app`."
  type        = map(string)
  default     = {}
}

variable "history_bucket" {
  description = "A bucket of this project whose new objects are logs to be judged; nothing else may be in it. null: none."
  type        = string
  default     = null

  validation {
    condition     = var.history_bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.history_bucket))
    error_message = "history_bucket: expected the name of a bucket, without gs://."
  }
}

variable "aws_lambda" {
  description = <<-EOT
    The account and the roles (their names alone) of callerid's Lambdas, where they keep their ledger here too: makes
    a provider for those roles, and for them alone. null: there are none.
  EOT
  type = object({
    account_id = string
    roles      = optional(set(string), ["callerid-judge", "callerid-tasks"]) # of a stack named callerid
  })
  default = null

  validation {
    condition = var.aws_lambda == null || (
      can(regex("^[0-9]{12}$", var.aws_lambda.account_id)) && try(length(var.aws_lambda.roles) > 0, false) &&
      alltrue([for role in try(var.aws_lambda.roles, []) : can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", role))])
    )
    error_message = "aws_lambda: expected an account of 12 digits and names of roles, neither ARNs nor paths."
  }
}

variable "aws_ledger" {
  description = <<-EOT
    The ledger of callerid on AWS, where the function keeps its own there too: the output GoogleLedgerUrl of that
    stack. null: the ledger is the Firestore database that is made here.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.aws_ledger == null || can(regex(
      "^dynamodb://[A-Za-z0-9_.-]+\\?region=[a-z0-9-]+&role=arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+&audience=[A-Za-z0-9_.:/-]+$",
      var.aws_ledger,
    ))
    error_message = "aws_ledger: expected dynamodb://TABLE?region=REGION&role=ARN&audience=AUDIENCE."
  }
  validation {
    condition     = var.aws_ledger == null || var.aws_lambda == null
    error_message = "aws_ledger: one ledger serves both clouds; set aws_ledger or aws_lambda, not both."
  }
}
