{{- /* The relay's container, without its name: the same in a pod of its own and as a sidecar. */ -}}
{{- define "outbox-relay.container" -}}
image: {{ include "outbox-relay.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [run]
{{ include "outbox-relay.environment" (dict "context" . "component" "relay") }}
ports:
  - {name: relay-metrics, containerPort: {{ .Values.metricsPort }}}
livenessProbe:
  {{- $live := dict "httpGet" (dict "path" "/livez" "port" "relay-metrics") "timeoutSeconds" 5 }}
  {{- include "outbox-relay.overlay" (list $live .Values.livenessProbe) | nindent 2 }}
{{- with .Values.lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{ include "outbox-relay.securityContext" . }}
{{- with .Values.volumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* All that the restricted pod security level and OpenShift's restricted-v2 ask for. */ -}}
{{- define "outbox-relay.securityContext" -}}
{{- $restricted := dict "runAsNonRoot" true "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) "seccompProfile" (dict "type" "RuntimeDefault") -}}
securityContext:
  {{- include "outbox-relay.overlay" (list $restricted .Values.securityContext) | nindent 2 }}
{{- end }}

{{- /* Seconds that a relay needs to stop: its budget, 2 for closing connections, 3 to spare. */ -}}
{{- define "outbox-relay.stopSeconds" -}}
{{- include "outbox-relay.prepare" . -}}
{{ add (ceil .Values.drainBudgetSeconds) 5 }}
{{- end }}

{{- /* What every pod of the chart has in common: (dict "context" $ "component" "relay"). */ -}}
{{- define "outbox-relay.pod" -}}
{{- with .context.Values -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- if or .serviceAccount.name (and .serviceAccount.create (has $.component (list "relay" "api" "console" "operator"))) }}
serviceAccountName: {{ .serviceAccount.name | default (include "outbox-relay.name" $.context) }}
{{- end }}
{{- with .dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if .topologySpreadConstraints }}
  {{- toYaml .topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "outbox-relay.selector" $ | nindent 8 }}
{{- end }}
{{- $volumes := .volumes }}
{{- if and (eq $.component "api") .api.jwksSecret }}
{{- $volumes = append $volumes (dict "name" "jwks" "secret" (dict "secretName" .api.jwksSecret)) }}
{{- end }}
{{- with $volumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
