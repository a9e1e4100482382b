#!/bin/sh
# Streams the clusters, hosts, infra-envs and events of a service that is not changed: four triggers, and
# the outbox in a schema of its own. For the owner of the tables; it may be run again.
# DATABASE_URL names the database. With --drop, the triggers are taken away again.
set -eu
export EVENT_STREAM_PRESET=existing-consumers
export OUTBOX_SCHEMA="${OUTBOX_SCHEMA:-relay}"

[ "${1:-}" = --drop ] || relay migrate --schema "$OUTBOX_SCHEMA" >&2

# An allow list: what is not named stays in the database. Of the inventory, these paths alone.
sql=$(
    relay triggers clusters "$@" --key id --columns \
        name,status,status_info,user_name,org_id,openshift_version,base_dns_domain,created_at,updated_at
    relay triggers hosts "$@" --id id,infra_env_id --key cluster_id --columns \
        cluster_id,status,status_info,role,inventory.hostname,inventory.cpu.count,inventory.disks.size_bytes
    relay triggers infra_envs "$@" --key cluster_id --columns cluster_id,name,cpu_architecture
    relay triggers events "$@" --inserts --key cluster_id --columns \
        cluster_id,host_id,infra_env_id,name,message,severity,category,event_time,request_id,props
)
echo "$sql" | psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$DATABASE_URL"
