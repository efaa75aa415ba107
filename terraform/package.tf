# What is deployed, by its name in the archive. All of it is text, and nothing runs to make it.

locals {
  root = "${path.module}/.."

  source_files = merge(
    { for name in fileset("${local.root}/gcp_function", "{*.py,requirements.txt,policy.yaml}") :
      name => "${local.root}/gcp_function/${name}"
    },
    { for name in fileset("${local.root}/shared/callerid", "**/*.{py,toml,json,yaml,typed,html,css,js}") :
      "callerid/${name}" => "${local.root}/shared/callerid/${name}"
    },
  )
}
