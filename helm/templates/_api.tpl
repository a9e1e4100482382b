{{- /* Variables of the API alone. */ -}}
{{- define "outbox-relay.api.environment" -}}
{{- with .Values.api -}}
{{- if not (hasKey .environment "RELAY_API_AUTHENTICATION") }}
{{- if not (or .jwks .jwksSecret) }}
{{- fail "api.jwks is missing: set it to the https URL of the key set that tokens are signed with, or name a Secret that holds it in api.jwksSecret" }}
{{- end }}
RELAY_API_JWKS: {{ .jwks | default (printf "/etc/outbox-relay/%s" .jwksKey) | quote }}
RELAY_API_ISSUER: {{ required "api.issuer is missing: set it to what the claim iss of a token must be" .issuer | quote }}
RELAY_API_AUDIENCE: {{ required "api.audience is missing: set it to what the claim aud of a token must hold" .audience | quote }}
{{- end }}
RELAY_API_PORT: {{ include "outbox-relay.text" .port | quote }}
{{- range $name, $value := .environment }}
{{ $name | quote }}: {{ include "outbox-relay.text" $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "outbox-relay.api.mounts" -}}
{{- $mounts := .Values.volumeMounts }}
{{- if .Values.api.jwksSecret }}
{{- $mounts = append $mounts (dict "name" "jwks" "mountPath" "/etc/outbox-relay" "readOnly" true) }}
{{- end }}
{{- with $mounts -}}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Paths that the API serves: those of its faces, by what its settings say. */ -}}
{{- define "outbox-relay.api.paths" -}}
{{- $faces := .Values.environment.RELAY_API_FACES | default "events,existing-service" | splitList "," }}
{{- $paths := list }}
{{- range $faces }}
{{- if eq (trim .) "events" }}
{{- $paths = append $paths ($.Values.environment.RELAY_API_PREFIX | default "/events") }}
{{- else if eq (trim .) "existing-service" }}
{{- $paths = append $paths "/api/assisted-install/v2/events" }}
{{- end }}
{{- end }}
{{- uniq $paths | toJson }}
{{- end }}
