{{/*
Refuse values that PostgreSQL has no connections for. Counted is what an update at the worst moment holds:
every pod's whole pool, one pod more of each kind (maxSurge), the migration's two sessions, the backup's two.
*/}}
{{- define "hunter.checkConnections" -}}
{{- $postgresql := .Values.postgresql | default dict -}}
{{- if $postgresql.maxConnections -}}
{{- $pool := index .Values.config "HUNTER_DB_POOL_SIZE" | default 10 | int -}}
{{- $api := .Values.api.replicas | int -}}
{{- if .Values.api.autoscaling.enabled -}}{{- $api = .Values.api.autoscaling.maxReplicas | int -}}{{- end -}}
{{- $colors := 1 -}}
{{- if include "hunter.isBlueGreen" . -}}
{{- $colors = add (ternary 1 0 .Values.blueGreen.blue.enabled) (ternary 1 0 .Values.blueGreen.green.enabled) | int -}}
{{- end -}}
{{- $worker := .Values.worker.replicas | int -}}
{{- $scaling := .Values.worker.autoscaling | default dict -}}
{{- if $scaling.enabled -}}{{- $worker = $scaling.maxReplicas | int -}}{{- end -}}
{{- $others := add (ternary 2 0 .Values.migration.enabled) (ternary 2 0 ((.Values.backup | default dict).enabled | default false)) | int -}}
{{- $wanted := add (mul (add1 $api) $colors $pool) (mul (add1 $worker) $pool) $others | int -}}
{{- $free := sub ($postgresql.maxConnections | int) ($postgresql.reservedConnections | int) | int -}}
{{- if gt $wanted $free -}}
{{- fail (printf "postgresql.maxConnections: %d pods of the API and %d workers, one more of each kind during an update, with HUNTER_DB_POOL_SIZE=%d and %d other sessions want %d connections, and %d are left of %d; raise max_connections, lower the pool or the pods, or put a pooler in between and set 0" (mul $api $colors) $worker $pool $others $wanted $free (int $postgresql.maxConnections)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuse values under which a stopping pod is killed at work. */}}
{{- define "hunter.checkGrace" -}}
{{- $work := index .Values.config "HUNTER_DRAIN_GRACE_S" | default 25 | float64 -}}
{{- $needed := addf $work (.Values.drainDelaySeconds | float64) -}}
{{- if ge $needed (.Values.terminationGracePeriodSeconds | float64) -}}
{{- fail (printf "terminationGracePeriodSeconds: %v s are not more than drainDelaySeconds and HUNTER_DRAIN_GRACE_S together, %v s; the kubelet would kill work under way" .Values.terminationGracePeriodSeconds $needed) -}}
{{- end -}}
{{- end -}}
