{{- /* Variables of the console alone. */ -}}
{{- define "outbox-relay.console.environment" -}}
{{- with .Values.console -}}
{{- if not (or .environment.RELAY_CONSOLE_OIDC_ISSUER .environment.RELAY_CONSOLE_PROXY_ADDRESSES) }}
{{- fail "console.environment says not who may in: set RELAY_CONSOLE_OIDC_ISSUER with RELAY_CONSOLE_OIDC_CLIENT_ID, or RELAY_CONSOLE_PROXY_ADDRESSES" }}
{{- end }}
{{- if .url }}
RELAY_CONSOLE_URL: {{ .url | quote }}
{{- end }}
RELAY_CONSOLE_PORT: {{ include "outbox-relay.text" .port | quote }}
{{- range $name, $value := .environment }}
{{ $name | quote }}: {{ include "outbox-relay.text" $value | quote }}
{{- end }}
{{- end }}
{{- end }}
