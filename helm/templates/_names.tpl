{{- /* Fills in the default of every value that is null or missing. Each template begins with it; the first does it for all. */ -}}
{{- define "outbox-relay.prepare" -}}
{{- if not (hasKey .Values "prepared") }}
{{- $_ := set .Values "prepared" true }}
{{- range $path, $default := include "outbox-relay.defaults" . | fromYaml }}
{{- $keys := splitList "." $path }}
{{- $inner := $.Values }}
{{- range initial $keys }}
{{- if not (kindIs "map" (index $inner .)) }}
{{- $_ := set $inner . dict }}
{{- end }}
{{- $inner = index $inner . }}
{{- end }}
{{- if kindIs "invalid" (index $inner (last $keys)) }}
{{- $_ := set $inner (last $keys) $default }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Release and chart; the release alone where it has the chart to itself and says `relay`. */ -}}
{{- define "outbox-relay.name" -}}
{{- $alone := and .Chart.IsRoot (contains "relay" .Release.Name) }}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) $alone -}}
{{ .Values.fullnameOverride | default $name | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- /* Name of the outbox in metrics. */ -}}
{{- define "outbox-relay.outbox" -}}
{{ coalesce .Values.environment.OUTBOX_NAME .Values.outbox (include "outbox-relay.name" .) }}
{{- end }}

{{- define "outbox-relay.componentName" -}}
{{ include "outbox-relay.name" .context }}{{ if ne .component "relay" }}-{{ .component }}{{ end }}
{{- end }}

{{- define "outbox-relay.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* (dict "context" $ "component" "relay"): what a selector names. It must never change. */ -}}
{{- define "outbox-relay.selector" -}}
app.kubernetes.io/name: {{ .context.Chart.Name }}{{ if ne .component "relay" }}-{{ .component }}{{ end }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
{{- end }}

{{- define "outbox-relay.labels" -}}
{{ include "outbox-relay.selector" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* (list under over): both maps as one, the second winning, with its false and its 0. */ -}}
{{- define "outbox-relay.overlay" -}}
{{- $both := deepCopy (index . 0) }}
{{- range $key, $value := index . 1 }}
{{- $_ := set $both $key $value }}
{{- end }}
{{- toYaml $both }}
{{- end }}

{{- /* (dict "context" $ "component" "relay"), and where they differ "name", "labels", "annotations". */ -}}
{{- define "outbox-relay.metadata" -}}
{{- $values := .context.Values -}}
metadata:
  name: {{ .name | default (include "outbox-relay.componentName" .) }}
  labels:
    {{- $own := include "outbox-relay.labels" . | fromYaml }}
    {{- merge $own (.labels | default dict) $values.commonLabels | toYaml | nindent 4 }}
  {{- with merge (dict) (.annotations | default dict) $values.commonAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* Metadata of a pod's template. */ -}}
{{- define "outbox-relay.podMetadata" -}}
{{- $values := .context.Values -}}
metadata:
  labels:
    {{- $own := include "outbox-relay.labels" . | fromYaml }}
    {{- merge $own $values.podLabels $values.commonLabels | toYaml | nindent 4 }}
  {{- with merge (dict) $values.podAnnotations $values.commonAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
