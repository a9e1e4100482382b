{{- /* The rules of files/alerts.yaml, by the values of prometheusRule. */ -}}
{{- define "outbox-relay.rules" -}}
{{- $values := .Values.prometheusRule }}
{{- $text := required "files/alerts.yaml is not in this chart" (.Files.Get "files/alerts.yaml") }}
{{- $of := printf "namespace=%q,outbox=%q," .Release.Namespace (include "outbox-relay.outbox" .) }}
{{- $text = replace "$(of)" (ternary "" $of $values.everyOutbox) $text }}
{{- range $name, $threshold := $values.thresholds }}
{{- $text = replace (printf "$(%s)" $name) (include "outbox-relay.text" $threshold) $text }}
{{- end }}
{{- $groups := list }}
{{- $known := list }}
{{- range (fromYaml $text).groups }}
{{- $rules := list }}
{{- range .rules }}
{{- $known = append $known .alert }}
{{- $own := get $values.rules .alert | default dict }}
{{- if ne (toString $own.enabled) "false" }}
{{- $labels := merge (dict "severity" (default .labels.severity $own.severity)) $values.alertLabels }}
{{- $url := printf "%s#%s" $values.runbook (lower .alert) }}
{{- $rule := merge (dict "labels" $labels "annotations" (merge (dict "runbook_url" $url) .annotations)) . }}
{{- with $own.for }}
{{- $_ := set $rule "for" . }}
{{- end }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- if $rules }}
{{- $groups = append $groups (dict "name" .name "rules" $rules) }}
{{- end }}
{{- end }}
{{- range $name, $_ := $values.rules }}
{{- if not (has $name $known) }}
{{- fail (printf "prometheusRule.rules names %s: no alert has that name" $name) }}
{{- end }}
{{- end }}
{{- toYaml (dict "groups" $groups) }}
{{- end }}
