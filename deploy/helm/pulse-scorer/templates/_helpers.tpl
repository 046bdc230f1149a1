{{- define "pulse-scorer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* 50 characters at most: a pod's name has the ordinal, and a label its hash, behind it. */}}
{{- define "pulse-scorer.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "pulse-scorer.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "pulse-scorer.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pulse-scorer.selector" -}}
app.kubernetes.io/name: {{ include "pulse-scorer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pulse-scorer.labels" -}}
{{ include "pulse-scorer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "pulse-scorer.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pulse-scorer.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "pulse-scorer.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Where the runbook can be read. Without a value: from the workers, which serve it; the name is that of their Service. */}}
{{- define "pulse-scorer.runbook" -}}
{{- with .Values.runbookBaseURL -}}
{{- printf "%s/RUNBOOK.md" (trimSuffix "/" .) -}}
{{- else -}}
{{- printf "http://%s.%s.svc:%d/runbook" (include "pulse-scorer.fullname" .) .Release.Namespace (int .Values.httpPort) -}}
{{- end -}}
{{- end -}}

{{/* GOMEMLIMIT of a memory limit in Mi or Gi; empty for others, which Kubernetes may write in many ways. */}}
{{- define "pulse-scorer.goMemoryLimit" -}}
{{- $limit := toString (dig "limits" "memory" "" .Values.resources) -}}
{{- $percent := int .Values.goMemoryPercent -}}
{{- if and $percent (regexMatch "^[0-9]+[MG]i$" $limit) -}}
{{- $mebibytes := trimSuffix "Mi" $limit | trimSuffix "Gi" | int -}}
{{- if hasSuffix "Gi" $limit }}{{ $mebibytes = mul $mebibytes 1024 }}{{ end -}}
{{- printf "%dMiB" (div (mul $mebibytes $percent) 100) -}}
{{- end -}}
{{- end -}}

{{/* The brokers' ports, each once, as a JSON list. */}}
{{- define "pulse-scorer.kafkaPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.kafkaPorts }}{{ $ports = append $ports (int .) }}{{ end -}}
{{- if not $ports -}}
{{- range splitList "," .Values.kafka.brokers -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | int) -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* Volumes and mounts of the secrets that are files of the service, as YAML lists. */}}
{{- define "pulse-scorer.secretVolumes" -}}
{{- with .Values.kafka.tls }}{{ if and .enabled .secretName }}
- name: kafka-tls
  secret: {secretName: {{ .secretName }}, defaultMode: 0440}
{{- end }}{{ end }}
{{- with .Values.kafka.sasl }}{{ if and .mechanism .secretName }}
- name: kafka-sasl
  secret: {secretName: {{ .secretName }}, defaultMode: 0440}
{{- end }}{{ end }}
{{- with .Values.adminToken }}{{ if .secretName }}
- name: admin-token
  secret: {secretName: {{ .secretName }}, defaultMode: 0440}
{{- end }}{{ end }}
{{- with .Values.enricherToken }}{{ if .secretName }}
- name: enricher-token
  secret: {secretName: {{ .secretName }}, defaultMode: 0440}
{{- end }}{{ end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pulse-scorer.secretMounts" -}}
{{- if and .Values.kafka.tls.enabled .Values.kafka.tls.secretName }}
- {name: kafka-tls, mountPath: /etc/pulse-scorer/tls, readOnly: true}
{{- end }}
{{- if and .Values.kafka.sasl.mechanism .Values.kafka.sasl.secretName }}
- {name: kafka-sasl, mountPath: /etc/pulse-scorer/sasl, readOnly: true}
{{- end }}
{{- if .Values.adminToken.secretName }}
- {name: admin-token, mountPath: /etc/pulse-scorer/admin, readOnly: true}
{{- end }}
{{- if .Values.enricherToken.secretName }}
- {name: enricher-token, mountPath: /etc/pulse-scorer/enricher, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The environment from values, as a YAML map; .Values.env comes last and wins. */}}
{{- define "pulse-scorer.env" -}}
{{- $kafka := .Values.kafka -}}
{{- $env := dict
  "PULSE_BROKERS" (required "kafka.brokers is missing: the brokers as host:port, comma-separated" $kafka.brokers)
  "PULSE_GROUP" $kafka.group
  "PULSE_TOPIC_INPUT" $kafka.inputTopic
  "PULSE_TOPIC_OUTPUT" $kafka.outputTopic
  "PULSE_HTTP_ADDR" (printf ":%d" (int .Values.httpPort))
  "PULSE_DRAIN_TIMEOUT" (printf "%ds" (int .Values.drainSeconds))
-}}
{{- if $kafka.tls.enabled -}}
{{- $_ := set $env "PULSE_TLS" "true" -}}
{{- if $kafka.tls.secretName -}}
{{- $_ := set $env "PULSE_TLS_CA" (printf "/etc/pulse-scorer/tls/%s" $kafka.tls.caKey) -}}
{{- if $kafka.tls.certKey -}}
{{- $_ := set $env "PULSE_TLS_CERT" (printf "/etc/pulse-scorer/tls/%s" $kafka.tls.certKey) -}}
{{- $_ := set $env "PULSE_TLS_KEY" (printf "/etc/pulse-scorer/tls/%s" (required "kafka.tls.keyKey is missing beside certKey" $kafka.tls.keyKey)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $kafka.sasl.mechanism -}}
{{- $_ := set $env "PULSE_SASL_MECHANISM" $kafka.sasl.mechanism -}}
{{- $secret := printf "/etc/pulse-scorer/sasl/%s" $kafka.sasl.secretKey -}}
{{- if not $kafka.sasl.secretName }}{{ fail "kafka.sasl.secretName is missing: the secret with the password or token" }}{{ end -}}
{{- if eq $kafka.sasl.mechanism "OAUTHBEARER" -}}
{{- $_ := set $env "PULSE_SASL_TOKEN_FILE" $secret -}}
{{- else -}}
{{- $_ := set $env "PULSE_SASL_USERNAME" (required "kafka.sasl.username is missing" $kafka.sasl.username) -}}
{{- $_ := set $env "PULSE_SASL_PASSWORD_FILE" $secret -}}
{{- end -}}
{{- end -}}
{{- if .Values.adminToken.secretName }}{{ $_ := set $env "PULSE_ADMIN_TOKEN_FILE" (printf "/etc/pulse-scorer/admin/%s" .Values.adminToken.secretKey) }}{{ end -}}
{{- if .Values.enricherToken.secretName }}{{ $_ := set $env "PULSE_ENRICHER_TOKEN_FILE" (printf "/etc/pulse-scorer/enricher/%s" .Values.enricherToken.secretKey) }}{{ end -}}
{{- with include "pulse-scorer.goMemoryLimit" . }}{{ $_ := set $env "GOMEMLIMIT" . }}{{ end -}}
{{- range $name, $value := .Values.env -}}
{{- /* Helm reads every number as a float, and would write 2000000 as 2e+06. */ -}}
{{- if and (kindIs "float64" $value) (eq (floor $value) $value) }}{{ $value = int64 $value }}{{ end -}}
{{- $_ := set $env $name (toString $value) -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}
