{{- /* A value as a process reads it: numbers without an exponent, which Helm would print from 1e+06 on. */ -}}
{{- define "outbox-relay.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{- /* Variables with plain values, `environment` apart. */ -}}
{{- define "outbox-relay.plain" -}}
OUTBOX_NAME: {{ include "outbox-relay.outbox" . | quote }}
ENABLE_EVENT_STREAMING: {{ .Values.streaming | quote }}
RELAY_METRICS_PORT: {{ include "outbox-relay.text" .Values.metricsPort | quote }}
RELAY_DRAIN_BUDGET_SECONDS: {{ include "outbox-relay.text" .Values.drainBudgetSeconds | quote }}
{{- with .Values.database }}
{{- if .host }}
DB_HOST: {{ .host | quote }}
DB_PORT: {{ include "outbox-relay.text" .port | quote }}
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
KAFKA_PROPERTY_{{ $name | upper | replace "." "_" }}: {{ include "outbox-relay.text" $value | quote }}
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
{{- if and .sasl.userKey (not .sasl.user) }}
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
{{- $given := deepCopy .Values.environment }}
{{- range .Values.extraEnv }}
{{- $_ := set $given .name true }}
{{- end }}
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
{{- if and .secret (not (or .user .userKey $given.KAFKA_CLIENT_ID)) }}
{{- fail "kafka.sasl.user is missing: name the user, or the key of its name in kafka.sasl.userKey" }}
{{- end }}
{{- $asked := or .mechanism .user .userKey (hasPrefix "SASL" $.Values.kafka.securityProtocol) }}
{{- $ours := or $.Values.secrets $given.KAFKA_CLIENT_SECRET }}
{{- range $name, $_ := merge (dict) $given $.Values.kafka.properties }}
{{- $ours = or $ours (hasPrefix "sasl." $name) (hasPrefix "KAFKA_PROPERTY_SASL_" $name) }}
{{- end }}
{{- if and $asked (not .secret) (not $ours) }}
{{- fail "kafka.sasl.secret is missing: name the existing Secret with the password, or leave out kafka.sasl and a securityProtocol with SASL" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* All plain variables as text; the last word is that of `environment`. */ -}}
{{- define "outbox-relay.settings" -}}
{{- include "outbox-relay.check" . }}
{{- $settings := include "outbox-relay.plain" . | fromYaml }}
{{- range $name, $value := .Values.environment }}
{{- $_ := set $settings $name (include "outbox-relay.text" $value) }}
{{- end }}
{{- toYaml $settings }}
{{- end }}

{{- /* A changed setting makes another object, so that nothing of a failed upgrade stays behind. */ -}}
{{- define "outbox-relay.settingsName" -}}
{{ printf "%s-settings-%s" (include "outbox-relay.componentName" .) (include "outbox-relay.settings" .context | sha256sum | trunc 10) }}
{{- end }}

{{- define "outbox-relay.configMap" -}}
apiVersion: v1
kind: ConfigMap
{{ include "outbox-relay.metadata" (dict "context" .context "component" .component "name" (include "outbox-relay.settingsName" .)) }}
immutable: true
data:
  {{- include "outbox-relay.settings" .context | nindent 2 }}
{{- include "outbox-relay.formerConfigMaps" . }}
{{- end }}

{{- /*
Those of ReplicaSets that are still there. As objects of the release they go with it, also those of
a failed upgrade, of which Helm knows nothing more; and `kubectl rollout undo` finds its settings.
*/ -}}
{{- define "outbox-relay.formerConfigMaps" -}}
{{- $namespace := .context.Release.Namespace }}
{{- $selector := include "outbox-relay.selector" . | fromYaml }}
{{- $seen := list (include "outbox-relay.settingsName" . | trim) }}
{{- range (lookup "apps/v1" "ReplicaSet" $namespace "").items }}
{{- $labels := .metadata.labels | default dict }}
{{- $ours := true }}
{{- range $label, $value := $selector }}
{{- $ours = and $ours (eq (get $labels $label) $value) }}
{{- end }}
{{- if $ours }}
{{- range (first .spec.template.spec.containers).envFrom }}
{{- $name := dig "configMapRef" "name" "" . }}
{{- $former := ternary (lookup "v1" "ConfigMap" $namespace $name) dict (and (ne $name "") (not (has $name $seen))) }}
{{- $seen = append $seen $name }}
{{- if $former }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels:
    {{- toYaml $former.metadata.labels | nindent 4 }}
immutable: true
data:
  {{- toYaml $former.data | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /*
env and envFrom of a Deployment's container. Helm merges `env` by name and would leave behind what a
failed upgrade added: so each entry is always there, if only as an optional key that does not exist.
*/ -}}
{{- define "outbox-relay.environment" -}}
{{- $values := .context.Values }}
{{- $referenced := include "outbox-relay.referenced" .context | fromYaml }}
{{- $taken := deepCopy $values.environment }}
{{- $own := dict }}
{{- range $values.extraEnv }}
{{- $_ := set $own .name true }}
{{- end -}}
env:
  {{- range $name := list "DATABASE_URL" "DB_PASS" "DB_USER" "KAFKA_CLIENT_ID" "KAFKA_CLIENT_SECRET" "KAFKA_PROPERTY_SSL_CA_PEM" "KAFKA_PROPERTY_SSL_CERTIFICATE_PEM" "KAFKA_PROPERTY_SSL_KEY_PEM" }}
  {{- if not (hasKey $own $name) }}
  {{- $from := ternary dict (get $referenced $name | default dict) (hasKey $taken $name) }}
  - name: {{ $name }}
    valueFrom: {secretKeyRef: {name: {{ $from.secret | default "not-set" | quote }}, key: {{ $from.key | default $name | quote }}, optional: {{ not $from }}}}
  {{- end }}
  {{- end }}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
envFrom:
  {{- range $values.secrets }}
  - secretRef: {name: {{ . | quote }}}
  {{- end }}
  # The last of these wins.
  - configMapRef: {name: {{ include "outbox-relay.settingsName" . | quote }}}
{{- end }}

{{- /* env and envFrom of a Job's container, which runs before there is a ConfigMap and is never patched. */ -}}
{{- define "outbox-relay.environmentInline" -}}
{{- $own := dict }}
{{- range .Values.extraEnv }}
{{- $_ := set $own .name true }}
{{- end -}}
env:
  {{- range $name, $value := include "outbox-relay.settings" . | fromYaml }}
  {{- if not (hasKey $own $name) }}
  - name: {{ $name | quote }}
    value: {{ $value | quote }}
  {{- end }}
  {{- end }}
  {{- range $name, $from := include "outbox-relay.referenced" . | fromYaml }}
  {{- if not (or (hasKey $.Values.environment $name) (hasKey $own $name)) }}
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
