{{- /* What distinguishes this provider; sscsi.provider says what each is. */ -}}
{{- define "sscsi-provider-gcp.facts" -}}
{{- $v := .Values }}{{ $name := $v.fullnameOverride | default $v.nameOverride | default "csi-secrets-store-provider-gcp" -}}
{{- $args := list -}}
{{- if ne $v.providerName "gcp" }}{{ $args = append $args (printf "--provider-name=%s" $v.providerName) }}{{ end -}}
{{- if $v.allowNodePublishSecret }}{{ $args = append $args "--allow-node-publish-secret=true" }}{{ end -}}
{{- toYaml (dict
  "name" $name "app" ($v.app | default $name) "uid" 65542 "namespace" .Release.Namespace
  "account" ($v.serviceAccount.name | default "secrets-store-csi-driver-provider-gcp")
  "createAccount" true "accountAnnotations" $v.serviceAccount.annotations
  "image" (set (deepCopy $v.image) "digest" ($v.image.digest | default $v.image.hash)) "folder" $v.providersDir "args" $args "env" list
  "metrics" (include "sscsi.port" $v.metricsAddr) "probe" (include "sscsi.port" $v.metricsAddr) "health" "/healthz" "writes" ""
  "node" (pick $v "nodeSelector" "tolerations" "affinity" "priorityClassName" "updateStrategy" "podLabels" "podAnnotations" "resources" "volumes" "volumeMounts" "dnsPolicy" "dnsConfig" "securityContext")
) -}}
{{- end -}}

{{- define "sscsi-provider-gcp.rules" }}
  # iam.gke.io/gcp-service-account of the pod's account.
  - apiGroups: [""]
    resources: [serviceaccounts]
    verbs: [get]
{{- end -}}
