{{- /* What distinguishes this provider; sscsi.provider says what each is. */ -}}
{{- define "sscsi-provider-azure.facts" -}}
{{- $v := .Values }}{{ $linux := .Values.linux -}}
{{- $name := $v.fullnameOverride | default $v.nameOverride | default "csi-secrets-store-provider-azure" -}}
{{- $metrics := include "sscsi.port" $v.metricsAddr -}}
{{- $args := list (printf "--healthz-port=%d" (int $linux.healthzPort)) -}}
{{- if ne $linux.healthzPath "/healthz" }}{{ $args = append $args (printf "--healthz-path=%s" $linux.healthzPath) }}{{ end -}}
{{- if not $v.constructPEMChain }}{{ $args = append $args "--construct-pem-chain=false" }}{{ end -}}
{{- if $v.writeCertAndKeyInSeparateFiles }}{{ $args = append $args "--write-cert-and-key-in-separate-files=true" }}{{ end -}}
{{- with $v.cloudName }}{{ $args = append $args (printf "--cloud-name=%s" .) }}{{ end -}}
{{- with $linux.customUserAgent }}{{ $args = append $args (printf "--custom-user-agent=%s" .) }}{{ end -}}
{{- if kindIs "bool" $v.logFormatJSON }}{{ $args = append $args (printf "--log-format=%s" (ternary "json" "text" $v.logFormatJSON)) }}{{ end -}}
{{- $node := pick $linux "nodeSelector" "tolerations" "affinity" "priorityClassName" "updateStrategy" "podLabels" "podAnnotations" "resources" "volumes" "volumeMounts" "dnsPolicy" "dnsConfig" -}}
{{- if $linux.privileged }}{{ $_ := set $node "securityContext" (dict "privileged" true) }}{{ end -}}
{{- toYaml (dict
  "name" $name "app" $name "uid" 65544 "namespace" .Release.Namespace
  "account" "csi-secrets-store-provider-azure" "createAccount" true "accountAnnotations" dict
  "comment" "It may do nothing in the cluster. Its token is needed with azure-rbac-annotations.yaml, its ca.crt for identity bindings."
  "image" $linux.image "folder" $linux.providersDir "args" $args "env" list
  "metrics" $metrics "probe" (ternary (toString (int $linux.healthzPort)) $metrics (ne (int $linux.healthzPort) 0))
  "health" $linux.healthzPath "writes" ""
  "resourcesPath" "linux.resources" "node" $node
) -}}
{{- end -}}

{{- define "sscsi-provider-azure.annotations.comment" -}}
Optional: for classes that leave clientID or tenantID to the annotations of the pod's service account
# (azure.workload.identity/client-id and tenant-id). Without such classes the provider has no right in the cluster.
{{- end -}}

{{- define "sscsi-provider-azure.annotations.rules" }}
  - apiGroups: [""]
    resources: [serviceaccounts]
    verbs: [get]
{{- end -}}
