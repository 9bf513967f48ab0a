{{/* The shipped configuration, and behind it what the values change: in unbound the later line wins. */}}
{{- define "hunter.unboundConfig" -}}
{{ .Files.Get "files/unbound.conf" }}
# ── from values.yaml ──
server:
    num-threads: {{ .Values.unbound.threads }}
    {{- if not .Values.unbound.validate }}
    module-config: "iterator"
    {{- end }}
# the probes ask over this socket; it is not reachable from outside the container
remote-control:
    control-enable: yes
    control-interface: /run/unbound/control.sock
    control-use-cert: no
{{- with .Values.unbound.forwardTo }}
forward-zone:
    name: "."
    {{- range . }}
    forward-addr: {{ . }}
    {{- end }}
{{- end }}
{{- with .Values.unbound.extraConfig }}
{{ . }}
{{- end }}
{{- end -}}

{{- define "hunter.unboundImage" -}}
{{- with .Values.unbound.image -}}
{{- $repository := required "unbound.image.repository: name an image with unbound; helm/unbound.Dockerfile makes one" .repository -}}
{{- if .digest -}}
{{ $repository }}@{{ .digest }}
{{- else -}}
{{ $repository }}:{{ required "unbound.image.tag: name a tag, or a digest" .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the worker must know; `env` wins over the ConfigMap. */}}
{{- define "hunter.unboundSettings" -}}
{{- if hasKey .Values.config "HUNTER_DNS_SERVERS" -}}
{{- fail "config.HUNTER_DNS_SERVERS: unbound.enabled has the workers ask unbound; name these servers in unbound.forwardTo, or leave unbound off" -}}
{{- end -}}
- {name: HUNTER_DNS_SERVERS, value: "127.0.0.1:5353"}
{{- if and .Values.unbound.validate (not (hasKey .Values.config "HUNTER_DNS_TRUST_AD")) }}
# it validates, and nobody is between it and the worker
- {name: HUNTER_DNS_TRUST_AD, value: "true"}
{{- end }}
{{- if not (hasKey .Values.config "HUNTER_DNS_WINDOW") }}
# num-queries-per-thread of files/unbound.conf for each thread: what comes beyond is dropped
- {name: HUNTER_DNS_WINDOW, value: {{ mul 4096 .Values.unbound.threads | quote }}}
{{- end }}
{{- end -}}

{{- define "hunter.unboundContainer" -}}
{{- $values := .root.Values -}}
- name: unbound
  image: {{ include "hunter.unboundImage" .root }}
  imagePullPolicy: {{ $values.unbound.image.pullPolicy }}
  command: [unbound, -d, -c, /etc/unbound/unbound.conf]
  lifecycle:
    preStop:
      exec:
        # both containers are told to stop at once: resolve until the worker has finished and closed its port
        command: [bash, -c, "while true <>/dev/tcp/127.0.0.1/{{ .port }}; do sleep 0.2; done 2>/dev/null"]
  securityContext:
    {{- include "hunter.containerSecurity" . | nindent 4 }}
  startupProbe:
    exec: {command: [unbound-control, -c, /etc/unbound/unbound.conf, status]}
    periodSeconds: 1
    timeoutSeconds: 3
    failureThreshold: 30
  # status says that it serves; whether the internet answers is no reason to restart it
  livenessProbe:
    exec: {command: [unbound-control, -c, /etc/unbound/unbound.conf, status]}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 3
  readinessProbe:
    exec: {command: [unbound-control, -c, /etc/unbound/unbound.conf, status]}
    periodSeconds: 5
    timeoutSeconds: 3
    failureThreshold: 3
  resources:
    {{- toYaml $values.unbound.resources | nindent 4 }}
  volumeMounts:
    - {name: unbound-config, mountPath: /etc/unbound, readOnly: true}
    - {name: unbound-run, mountPath: /run/unbound}
{{- end -}}
