# What was seen and what was sent. Losing it means repeated alerts and summaries from zero, so nothing here is
# deleted by mistake: the database refuses it, and `terraform destroy` leaves it where it is.
# https://cloud.google.com/firestore/docs/manage-databases

resource "google_firestore_database" "ledger" {
  project                 = local.project
  name                    = var.name
  location_id             = coalesce(var.firestore_location, var.region)
  type                    = "FIRESTORE_NATIVE"
  delete_protection_state = "DELETE_PROTECTION_ENABLED"
  deletion_policy         = "ABANDON"

  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED" # seven days, for a few cents

  # It is for life: with another `region` the function moves and the ledger stays. A replacement would be refused, for
  # the name is still taken, when the function is gone already.
  lifecycle {
    ignore_changes = [location_id]
  }
}

# Rows go a day or so after `expires`; a row without it stays. Documents are at callerid/PARTITION/rows/SORT.
# https://cloud.google.com/firestore/docs/ttl
resource "google_firestore_field" "expires" {
  project    = local.project
  database   = google_firestore_database.ledger.name
  collection = "rows"
  field      = "expires"

  ttl_config {}
  index_config {} # nothing asks by it, and an index over rising times is a hot spot
}

# A row's content, which is only ever read by its key: an index would be most of what is stored.
resource "google_firestore_field" "data" {
  project    = local.project
  database   = google_firestore_database.ledger.name
  collection = "rows"
  field      = "data"

  index_config {}

  depends_on = [google_firestore_field.expires] # a database takes one change of its fields at a time
}
