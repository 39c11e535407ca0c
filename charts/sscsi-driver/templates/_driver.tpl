{{- /* The name of the DaemonSet and the app label; the existing manifests' where none is given. */ -}}
{{- define "sscsi-driver.name" -}}
{{- .Values.fullnameOverride | default .Values.nameOverride | default "csi-secrets-store" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "sscsi-driver.labels" -}}
{{- include "sscsi.labels" (dict "top" . "name" (include "sscsi-driver.name" .) "app" "") -}}
{{- end -}}

{{- define "sscsi-driver.volumeSize" -}}
{{- include "sscsi.bytes" (.Values.volumeSize | default (mul 4 (int64 .Values.maxCallRecvMsgSize))) -}}
{{- end -}}

{{- /* Mi: see `memory` in values.yaml. */ -}}
{{- define "sscsi-driver.memory" -}}
{{- $memory := .Values.memory -}}
{{- $answers := div (add (mul (int $memory.answersAtOnce) (int64 .Values.maxCallRecvMsgSize)) 1048575) 1048576 -}}
{{- $volumes := mul (int $memory.volumes) (include "sscsi.mebibytes" (include "sscsi-driver.volumeSize" .)) -}}
{{- add (include "sscsi.mebibytes" $memory.base) $answers $volumes -}}
{{- end -}}

{{- /* Flags, as a list; what is as the daemon has it anyway is left out. */ -}}
{{- define "sscsi-driver.flags" -}}
{{- $values := .Values }}{{ $format := $values.logFormat -}}
{{- if kindIs "bool" $values.logFormatJSON }}{{ $format = ternary "json" "text" $values.logFormatJSON }}{{ end -}}
{{- $flags := list (printf "--enable-secret-rotation=%t" $values.enableSecretRotation) -}}
{{- with $values.rotationPollInterval }}{{ $flags = append $flags (printf "--rotation-poll-interval=%s" .) }}{{ end -}}
{{- $flags = append $flags (printf "--metrics-addr=%s" $values.linux.metricsAddr) -}}
{{- if ne (int64 $values.maxCallRecvMsgSize) 4194304 }}{{ $flags = append $flags (printf "--max-call-recv-msg-size=%d" (int64 $values.maxCallRecvMsgSize)) }}{{ end -}}
{{- with $values.volumeSize }}{{ $flags = append $flags (printf "--volume-size=%s" (include "sscsi.bytes" .)) }}{{ end -}}
{{- with $values.volumeInodes }}{{ $flags = append $flags (printf "--volume-inodes=%d" (int64 .)) }}{{ end -}}
{{- if ne $values.volumeAttributes "override" }}{{ $flags = append $flags (printf "--volume-attributes=%s" $values.volumeAttributes) }}{{ end -}}
{{- with $values.requiredProviders }}{{ $flags = append $flags (printf "--required-providers=%s" (join "," .)) }}{{ end -}}
{{- with $values.startupTaint.key }}{{ $flags = append $flags (printf "--startup-taint=%s" .) }}{{ end -}}
{{- if ne $values.logLevel "info" }}{{ $flags = append $flags (printf "--log-level=%s" $values.logLevel) }}{{ end -}}
{{- if ne $format "json" }}{{ $flags = append $flags (printf "--log-format=%s" $format) }}{{ end -}}
{{- toYaml (concat $flags ($values.extraArgs | default list)) -}}
{{- end -}}

{{- define "sscsi-driver.notes" -}}
{{- include "sscsi.resourceNotes" (dict "resources" .Values.linux.driver.resources "needed" (include "sscsi-driver.memory" .) "path" "linux.driver.resources") -}}
{{- include "sscsi.tellings" . -}}
{{- end -}}
