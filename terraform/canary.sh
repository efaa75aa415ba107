#!/usr/bin/env bash
# canary.sh PROJECT: makes one real token exchange by a caller whom no policy lists, so that callerid must report it.
#
# It makes a pool and a provider that trust a key made here and now, signs a token, exchanges it, and deletes the pool
# and the key. Nothing is granted to the pool, so the token that comes back opens nothing; it is not even kept.
set -euo pipefail

project=${1:?usage: canary.sh PROJECT}
pool=callerid-canary-$(date +%s) # a deleted pool's name stays taken for a month
issuer=https://canary.example.com
work=$(mktemp -d)
pools=(gcloud iam workload-identity-pools)
where=(--project="$project" --location=global --quiet)

remove() {
  "${pools[@]}" delete "$pool" "${where[@]}" || echo "Delete the pool $pool yourself." >&2
  rm -rf "$work"
}
base64url() { base64 | tr -d '=\n' | tr '+/' '-_'; }

openssl genrsa -out "$work/key.pem" 2048 2>/dev/null
modulus=$(openssl rsa -in "$work/key.pem" -noout -modulus | cut -d= -f2)
n=$(printf '%b' "$(sed 's/../\\x&/g' <<<"$modulus")" | base64url)
echo '{"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "canary", "e": "AQAB", "n": "'"$n"'"}]}' >"$work/jwks.json"

trap remove EXIT
"${pools[@]}" create "$pool" "${where[@]}"
"${pools[@]}" providers create-oidc canary --workload-identity-pool="$pool" "${where[@]}" --issuer-uri="$issuer" \
  --attribute-mapping=google.subject=assertion.sub --jwk-json-path="$work/jwks.json"
number=$(gcloud projects describe "$project" --format='value(projectNumber)')
audience=//iam.googleapis.com/projects/$number/locations/global/workloadIdentityPools/$pool/providers/canary

now=$(date +%s)
claims=$(printf '{"iss": "%s", "aud": "https:%s", "sub": "callerid-canary", "iat": %d, "exp": %d}' \
  "$issuer" "$audience" "$now" "$((now + 600))")
signed=$(printf '{"alg": "RS256", "kid": "canary", "typ": "JWT"}' | base64url).$(printf %s "$claims" | base64url)
token=$signed.$(printf %s "$signed" | openssl dgst -sha256 -sign "$work/key.pem" | base64url)

for attempt in {1..12}; do # a new provider takes a minute or two to be known everywhere
  status=$(curl -sS -o "$work/answer" -w '%{http_code}' https://sts.googleapis.com/v1/token \
    --data-urlencode grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
    --data-urlencode audience="$audience" \
    --data-urlencode scope=https://www.googleapis.com/auth/cloud-platform \
    --data-urlencode requested_token_type=urn:ietf:params:oauth:token-type:access_token \
    --data-urlencode subject_token_type=urn:ietf:params:oauth:token-type:jwt \
    --data-urlencode subject_token="$token")
  if [ "$status" = 200 ]; then
    echo "Exchanged as callerid-canary in the pool $pool. callerid should report it within some minutes."
    exit 0
  fi
  echo "Attempt $attempt: HTTP $status" >&2
  sleep "${CANARY_PAUSE:-10}"
done
cat "$work/answer" >&2
exit 1
