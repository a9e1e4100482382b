#!/usr/bin/env bash
# The whole stack in the current Kubernetes context: all.sh up | down. `make deploy-all` calls it.
#   ENABLE_EVENT_STREAMING=true  with Kafka; false or empty: without, and streaming off
#   EVENT_STREAM_PRESET          existing-consumers: for consumers that know the former service
#   PARTITIONS                   of a new topic; 4 where unset
#   IMAGE                        of the relay, where the cluster finds it
#   NAMESPACE                    the context's own where unset
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

IMAGE=${IMAGE:-outbox-relay:0.1.0}
PARTITIONS=${PARTITIONS:-4}
TOPIC=events-stream
BOOTSTRAP=ai-kafka:9092
WAIT=300s

main() {
  for tool in kubectl helm; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 2; }
  done
  case ${1:-} in
    up) streaming; image; up ;;
    down) down ;;
    *) sed -n '2,7s/^# //p' all.sh >&2; exit 2 ;;
  esac
}

# As the relay reads it: a word that it would not take is no silent "off" here.
streaming() {
  case $(tr '[:upper:]' '[:lower:]' <<<"${ENABLE_EVENT_STREAMING:-false}") in
    true | t | yes | y | on | 1) STREAMING=true ;;
    false | f | no | n | off | 0) STREAMING=false ;;
    *) echo "ENABLE_EVENT_STREAMING is $ENABLE_EVENT_STREAMING: set it to true or false" >&2; exit 2 ;;
  esac
}

# The chart takes an image in parts. A colon before the last slash is a registry's port.
image() {
  local name=${IMAGE%%@*}
  REPOSITORY=$name TAG=latest DIGEST=
  if [[ ${name##*/} == *:* ]]; then REPOSITORY=${name%:*} TAG=${name##*:}; fi
  if [[ $IMAGE == *@* ]]; then DIGEST=${IMAGE#*@}; fi
}

up() {
  credentials
  apply postgres.yaml
  if [ "$STREAMING" = true ]; then
    apply kafka.yaml
    kube rollout status statefulset/ai-kafka --timeout "$WAIT"
    kube exec ai-kafka-0 -- kafka-topics.sh --bootstrap-server localhost:9092 \
      --create --if-not-exists --topic "$TOPIC" --partitions "$PARTITIONS"
  else
    # Its volume stays, and with it the topic, for the next time with streaming.
    kube delete --ignore-not-found -f kafka.yaml
  fi
  kube rollout status statefulset/postgres --timeout "$WAIT"
  helm upgrade --install relay ../helm ${NAMESPACE:+--namespace "$NAMESPACE"} --atomic --timeout "$WAIT" \
    --set-string "image.repository=$REPOSITORY,image.tag=$TAG,image.digest=$DIGEST" \
    --set "streaming=$STREAMING,kafka.bootstrapServer=$BOOTSTRAP,kafka.topic=$TOPIC" \
    --set database.secret=postgres,migration.enabled=true \
    ${EVENT_STREAM_PRESET:+--set-string "environment.EVENT_STREAM_PRESET=$EVENT_STREAM_PRESET"}
  apply service.yaml
  kube rollout status deployment/service --timeout "$WAIT"
}

down() {
  helm uninstall relay ${NAMESPACE:+--namespace "$NAMESPACE"} --ignore-not-found --wait
  kube delete --ignore-not-found -f service.yaml -f kafka.yaml -f postgres.yaml
  kube delete --ignore-not-found secret/postgres
  kube delete persistentvolumeclaim --selector app.kubernetes.io/part-of=outbox-demo
}

kube() { kubectl ${NAMESPACE:+--namespace "$NAMESPACE"} "$@"; }

apply() {
  local own_uid='^$'
  # OpenShift assigns uid and group itself, and refuses others.
  if kubectl api-versions | grep -q '^security\.openshift\.io/'; then
    own_uid='runAsUser:\|fsGroup:'
  fi
  sed -e "/$own_uid/d" -e "${EVENT_STREAM_PRESET:+s|\"PRESET\"|$EVENT_STREAM_PRESET|;}/\"PRESET\"/d" \
    -e "s|image: IMAGE|image: $IMAGE|" -e "s|\"STREAMING\"|\"$STREAMING\"|" \
    -e "s|\"BOOTSTRAP\"|$BOOTSTRAP|" -e "s|\"TOPIC\"|$TOPIC|" "$1" | kube apply -f -
}

# Made once: the database keeps the password that it was created with.
credentials() {
  kube get secret postgres >/dev/null 2>&1 && return
  local password
  password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
  kube create secret generic postgres "--from-literal=password=$password" \
    "--from-literal=DATABASE_URL=postgresql://service:$password@postgres:5432/service"
}

main "$@"
