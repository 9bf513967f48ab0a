{{/* One egress rule: {to, port}; no peers, anywhere. */}}
{{- define "hunter.egress" -}}
- ports:
    - {port: {{ .port }}, protocol: TCP}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* One ingress rule: {root, from, also, port}; no peers in `from`, everybody. */}}
{{- define "hunter.ingress" -}}
- ports:
    - {port: {{ .port }}, protocol: TCP}
  {{- if .from }}
  from:
    {{- toYaml (concat .from (.also | default list)) | nindent 4 }}
    # its own: the smoke test, and one colour trying the other
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: {{ .root.Chart.Name }}
          app.kubernetes.io/instance: {{ .root.Release.Name }}
  {{- end }}
{{- end -}}
