"""Values under which the chart is looked at: each option is on in at least one set."""

from typing import Any, Final

import yaml

from deploy.chart_docs import POD_VALUES

Values = dict[str, Any]

PEERS: Final = [{"namespaceSelector": {"matchLabels": {"team": "kafka"}}}]

SMALLEST: Final[Values] = {
    "database": {"secret": "outbox-database"},
    "kafka": {"bootstrapServer": "kafka:9092"},
}
CONSOLE: Final[Values] = {
    "enabled": True,
    "secret": "outbox-console-database",
    "sessionSecret": "outbox-console",
    "url": "https://outbox.example.org",
    "environment": {
        "RELAY_CONSOLE_OIDC_ISSUER": "https://login.example.org",
        "RELAY_CONSOLE_OIDC_CLIENT_ID": "outbox-console",
        "RELAY_CONSOLE_READER_GROUPS": "support",
    },
    "ingress": {"enabled": True, "host": "outbox.example.org", "tlsSecret": "outbox-tls"},
    "route": {"enabled": True, "host": "outbox.apps.example.org"},
}
EVERYTHING: Final[Values] = {
    "fullnameOverride": "stream",
    "imagePullSecrets": ["registry"],
    "database": {"secret": "outbox-database", "host": "postgres", "name": "service"},
    "kafka": {
        "bootstrapServer": "kafka:9093",
        "sasl": {"secret": "kafka-user", "userKey": "user", "mechanism": "PLAIN"},
        "tls": {"caSecret": "kafka-ca", "clientSecret": "kafka-client"},
        "properties": {"linger.ms": 5, "ssl.endpoint.identification.algorithm": "none"},
    },
    "versions": {"service": "1", "installer": "2", "controller": "3", "agent": "4"},
    "environment": {"RELAY_WORKERS": 2},
    "secrets": ["more"],
    "extraEnv": [{"name": "PGSSLROOTCERT", "value": "/etc/postgres/ca.crt"}],
    "volumes": [{"name": "ca", "secret": {"secretName": "postgres-ca"}}],
    "volumeMounts": [{"name": "ca", "mountPath": "/etc/postgres"}],
    "podSecurityContext": {"fsGroup": 1000},
    "securityContext": {"runAsUser": 1000},
    "serviceAccount": {"create": True, "name": "relay", "annotations": {"example.org/iam": "x"}},
    "commonLabels": {"cost-centre": "7"},
    "commonAnnotations": {"example.org/owner": "team"},
    "initContainers": [{"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}],
    "extraContainers": [{"name": "beside", "image": "beside:1"}],
    "strategy": {"type": "Recreate"},
    "startupProbe": {"httpGet": {"path": "/livez", "port": "relay-metrics"}},
    "livenessProbe": {"periodSeconds": 7},
    "readinessProbe": {"failureThreshold": 9},
    "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["kafka"]}],
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "{{ .Release.Name }}-extra"},
            "spec": {"ports": [{"port": 80}]},
        }
    ],
    "operator": {"enabled": True, "secret": "outbox-operator"},
    "podLabels": {"team": "installer"},
    "podAnnotations": {"example.org/note": "x"},
    "priorityClassName": "high",
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "autoscaling": {"kind": "hpa"},
    "migration": {"enabled": True, "secret": "outbox-owner", "post": True},
    "api": {
        "enabled": True,
        "jwks": "https://login.example.org/keys",
        "issuer": "https://login.example.org",
        "audience": "events",
        "environment": {"RELAY_API_CONNECTIONS": 4},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "events.example.org",
            "tlsSecret": "events-tls",
            "annotations": {"example.org/limit": "5"},
        },
        "route": {"enabled": True, "host": "events.apps.example.org"},
    },
    "console": CONSOLE,
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboard": {"enabled": True},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": PEERS,
        "apiFrom": PEERS,
        "consoleFrom": PEERS,
        "databaseTo": PEERS,
        "kafkaTo": PEERS,
    },
}
SETS: Final[dict[str, Values]] = {
    "smallest": SMALLEST,
    "everything": EVERYTHING,
    "production": yaml.safe_load(POD_VALUES.read_text()),
    "streaming off": {"streaming": False, "database": {"secret": "outbox-database"}},
    "keda": SMALLEST | {"autoscaling": {"kind": "keda"}},
    "keda asks the outbox": SMALLEST
    | {"autoscaling": {"kind": "keda", "trigger": "postgresql"}, "podMonitor": {"enabled": True}},
    "keda with parts of a url": SMALLEST
    | {
        "database": {"secret": "outbox-database", "host": "postgres", "name": "service"},
        "autoscaling": {"kind": "keda", "trigger": "postgresql"},
        "serviceAccount": {"name": "existing"},
    },
    "all from secrets": {"secrets": ["settings"], "networkPolicy": {"enabled": True}},
    "the api inside": SMALLEST
    | {
        "api": {
            "enabled": True,
            "jwksSecret": "keys",
            "issuer": "i",
            "audience": "a",
            "ingress": {"host": "events.example.org"},
        }
    },
    "only the watching": SMALLEST
    | {"deployment": {"enabled": False}, "podMonitor": {"enabled": True}},
}
