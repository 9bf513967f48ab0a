{{- define "hunter.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hunter.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .color }}
version: {{ . }}
{{- end }}
{{- end -}}

{{- define "hunter.labels" -}}
{{ include "hunter.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image: {root, tag, digest}; what is empty is that of .Values.image. */}}
{{- define "hunter.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := .digest | default (ternary "" $image.digest (not (empty .tag))) -}}
{{- if $digest -}}
{{ $image.repository }}@{{ $digest }}
{{- else -}}
{{ $image.repository }}:{{ .tag | default $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* "true" with blue/green, else nothing. `helm upgrade --reuse-values` leaves out what the old chart did not know. */}}
{{- define "hunter.isBlueGreen" -}}
{{- if (.Values.blueGreen | default dict).enabled }}true{{ end -}}
{{- end -}}

{{- define "hunter.activeColor" -}}
{{- $color := .Values.service.activeColor | default "blue" -}}
{{- if not (index .Values.blueGreen $color).enabled -}}
{{- fail (printf "service.activeColor: %s has no pods; set blueGreen.%s.enabled, or turn to the other colour" $color $color) -}}
{{- end -}}
{{ $color }}
{{- end -}}

{{/* Image of what has no colour: that of the active one. */}}
{{- define "hunter.activeImage" -}}
{{- $own := dict -}}
{{- if include "hunter.isBlueGreen" . -}}
{{- $own = index .Values.blueGreen (include "hunter.activeColor" .) -}}
{{- end -}}
{{ include "hunter.image" (dict "root" . "tag" $own.tag "digest" $own.digest) }}
{{- end -}}

{{- define "hunter.secretName" -}}
{{- required "existingSecret: name a Secret with HUNTER_DATABASE_URL, HUNTER_REDIS_URL, HUNTER_ADMIN_KEY and HUNTER_KEY_PEPPER" .Values.existingSecret -}}
{{- end -}}

{{/* What every pod of Hunter has in common, hooks included. */}}
{{- define "hunter.podBasics" -}}
# a Service named hunter would otherwise inject HUNTER_PORT=tcp://…, which is no port
enableServiceLinks: false
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- end -}}

{{- define "hunter.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Probe timings are those of the production guide. */}}
{{- define "hunter.probes" -}}
startupProbe:
  httpGet: {path: /healthz/startup, port: {{ . }}}
  initialDelaySeconds: 0
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /healthz/live, port: {{ . }}}
  initialDelaySeconds: 30
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /healthz/ready, port: {{ . }}}
  initialDelaySeconds: 10
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
{{- end -}}

{{/* The pod of API and worker: {root, component, command, portName, port, image, color}. */}}
{{- define "hunter.pod" -}}
{{- $values := .root.Values -}}
{{- $own := index $values .component -}}
{{- $unbound := and (eq .component "worker") (($values.unbound).enabled) -}}
metadata:
  labels:
    # not the chart's version: a new chart alone must not roll the active colour
    {{- include "hunter.selector" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
    {{- if $unbound }}
    checksum/unbound: {{ include "hunter.unboundConfig" .root | sha256sum }}
    {{- end }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "hunter.podBasics" .root | nindent 2 }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  containers:
    - name: {{ .component }}
      image: {{ .image }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [{{ .command }}]
      ports:
        - {name: {{ .portName }}, containerPort: {{ .port }}, protocol: TCP}
      envFrom:
        - configMapRef: {name: {{ include "hunter.fullname" .root }}}
        - secretRef: {name: {{ include "hunter.secretName" .root }}}
      {{- if $unbound }}
      env:
        {{- include "hunter.unboundSettings" .root | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "hunter.containerSecurity" . | nindent 8 }}
      {{- include "hunter.probes" .portName | nindent 6 }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if $values.rulesConfigMap }}
        # the folder, not a subPath: only that follows a changed ConfigMap
        - {name: rules, mountPath: /etc/hunter/rules, readOnly: true}
        {{- end }}
    {{- if $unbound }}
    {{- include "hunter.unboundContainer" . | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- with $values.rulesConfigMap }}
    - name: rules
      configMap: {name: {{ . }}}
    {{- end }}
    {{- if $unbound }}
    - name: unbound-config
      configMap: {name: {{ include "hunter.fullname" .root }}-unbound}
    - name: unbound-run
      emptyDir: {}
    {{- end }}
  topologySpreadConstraints:
    {{- $pod := . }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "hunter.selector" $pod | nindent 10 }}
    {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* A file for a block scalar: {root, path}; indenting would leave spaces on empty lines. */}}
{{- define "hunter.file" -}}
{{- regexReplaceAll "(?m) +$" (.root.Files.Get .path | trim | indent 4) "" -}}
{{- end -}}
