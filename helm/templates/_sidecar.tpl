{{- /*
The relay as a native sidecar, an entry of a pod's initContainers. A service's chart that has this
one as a dependency, with deployment.enabled off, includes it:

    initContainers:
      {{- include "outbox-relay.sidecar" (index .Subcharts "outbox-relay") | nindent 8 }}

It has no readiness probe: what a relay waits for must not take its service out of service.
Its SIGTERM comes only after the service's containers have ended, out of the same grace period, so
that must be the service's own seconds and those of outbox-relay.stopSeconds together.
*/ -}}
{{- define "outbox-relay.sidecar" -}}
{{- include "outbox-relay.prepare" . }}
{{- if semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version }}
{{- fail "a native sidecar needs Kubernetes 1.29: run the relay as a pod of its own instead" }}
{{- end -}}
- name: outbox-relay
  restartPolicy: Always
  {{- include "outbox-relay.container" . | nindent 2 }}
{{- end }}
