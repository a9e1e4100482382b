{{- /* Variables with plain values. */ -}}
{{- define "outbox-relay.plain" -}}
ENABLE_EVENT_STREAMING: {{ .Values.streaming | quote }}
RELAY_METRICS_PORT: {{ .Values.metricsPort | quote }}
RELAY_DRAIN_BUDGET_SECONDS: {{ .Values.drainBudgetSeconds | quote }}
{{- with .Values.database }}
{{- if .host }}
DB_HOST: {{ .host | quote }}
DB_PORT: {{ .port | quote }}
DB_NAME: {{ .name | quote }}
{{- end }}
{{- end }}
{{- with .Values.kafka }}
{{- if .bootstrapServer }}
KAFKA_BOOTSTRAP_SERVER: {{ .bootstrapServer | quote }}
{{- end }}
KAFKA_EVENT_STREAM_TOPIC: {{ .topic | quote }}
{{- if .sasl.mechanism }}
KAFKA_SASL_MECHANISM: {{ .sasl.mechanism | quote }}
{{- end }}
{{- if .sasl.user }}
KAFKA_CLIENT_ID: {{ .sasl.user | quote }}
{{- end }}
{{- $certificates := or .tls.caSecret .tls.clientSecret }}
{{- if .securityProtocol }}
KAFKA_SECURITY_PROTOCOL: {{ .securityProtocol | quote }}
{{- else if and $certificates (not .sasl.secret) }}
KAFKA_SECURITY_PROTOCOL: SSL
{{- end }}
{{- range $name, $value := .properties }}
KAFKA_PROPERTY_{{ $name | upper | replace "." "_" }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- range $name, $value := dict "SELF_VERSION" .Values.versions.service "INSTALLER_IMAGE" .Values.versions.installer "CONTROLLER_IMAGE" .Values.versions.controller "AGENT_DOCKER_IMAGE" .Values.versions.agent }}
{{- if $value }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Variables from existing Secrets: their Secret and its key. */ -}}
{{- define "outbox-relay.referenced" -}}
{{- with .Values.database }}
{{- if and .secret .host }}
DB_USER: {secret: {{ .secret | quote }}, key: {{ .userKey | quote }}}
DB_PASS: {secret: {{ .secret | quote }}, key: {{ .passwordKey | quote }}}
{{- else if .secret }}
DATABASE_URL: {secret: {{ .secret | quote }}, key: {{ .urlKey | quote }}}
{{- end }}
{{- end }}
{{- with .Values.kafka }}
{{- if .sasl.secret }}
KAFKA_CLIENT_SECRET: {secret: {{ .sasl.secret | quote }}, key: {{ .sasl.passwordKey | quote }}}
{{- if not .sasl.user }}
KAFKA_CLIENT_ID: {secret: {{ .sasl.secret | quote }}, key: {{ .sasl.userKey | quote }}}
{{- end }}
{{- end }}
{{- /* librdkafka takes the certificates themselves, so that no volume is needed. */}}
{{- if .tls.caSecret }}
KAFKA_PROPERTY_SSL_CA_PEM: {secret: {{ .tls.caSecret | quote }}, key: {{ .tls.caKey | quote }}}
{{- end }}
{{- if .tls.clientSecret }}
KAFKA_PROPERTY_SSL_CERTIFICATE_PEM: {secret: {{ .tls.clientSecret | quote }}, key: {{ .tls.certificateKey | quote }}}
KAFKA_PROPERTY_SSL_KEY_PEM: {secret: {{ .tls.clientSecret | quote }}, key: {{ .tls.privateKeyKey | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- /* What only a person can know is asked for by name. */ -}}
{{- define "outbox-relay.check" -}}
{{- $given := .Values.environment }}
{{- if not (or .Values.secrets .Values.database.secret $given.DATABASE_URL $given.DB_HOST) }}
{{- fail "database.secret is missing: name an existing Secret with the key DATABASE_URL (or set database.urlKey)" }}
{{- end }}
{{- if and .Values.database.host (not .Values.database.name) }}
{{- fail "database.name is missing: database.host needs the database's name beside it" }}
{{- end }}
{{- if and .Values.streaming (not (or .Values.secrets .Values.kafka.bootstrapServer $given.KAFKA_BOOTSTRAP_SERVER)) }}
{{- fail "kafka.bootstrapServer is missing: set it to host:port, or set streaming to false" }}
{{- end }}
{{- with .Values.kafka.sasl }}
{{- if and .secret (not .user) (not .userKey) }}
{{- fail "kafka.sasl.user is missing: name the user, or the key of its name in kafka.sasl.userKey" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* env and envFrom of the relay; each variable once, the last word being `environment`. */ -}}
{{- define "outbox-relay.environment" -}}
{{- include "outbox-relay.check" . }}
{{- $plain := merge (deepCopy .Values.environment) (include "outbox-relay.plain" . | fromYaml) }}
{{- $referenced := include "outbox-relay.referenced" . | fromYaml -}}
env:
  {{- range $name, $value := $plain }}
  - name: {{ $name }}
    value: {{ $value | toString | quote }}
  {{- end }}
  {{- range $name, $from := $referenced }}
  {{- if not (hasKey $.Values.environment $name) }}
  - name: {{ $name }}
    valueFrom: {secretKeyRef: {name: {{ $from.secret | quote }}, key: {{ $from.key | quote }}}}
  {{- end }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.secrets }}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
{{- end }}
{{- end }}
