{{- /* What distinguishes this provider; sscsi.provider says what each is. */ -}}
{{- define "sscsi-provider-vault.facts" -}}
{{- $v := .Values }}{{ $name := $v.fullnameOverride | default $v.nameOverride | default (printf "%s-csi-provider" $v.providerName) -}}
{{- $args := list -}}
{{- if ne $v.providerName "vault" }}{{ $args = append $args (printf "--provider-name=%s" $v.providerName) }}{{ end -}}
{{- with $v.address }}{{ $args = append $args (printf "--vault-addr=%s" .) }}{{ end -}}
{{- with $v.authMount }}{{ $args = append $args (printf "--vault-mount=%s" .) }}{{ end -}}
{{- with $v.vaultNamespace }}{{ $args = append $args (printf "--vault-namespace=%s" .) }}{{ end -}}
{{- with $v.allowedAddresses }}{{ $args = append $args (printf "--allowed-addresses=%s" (join "," .)) }}{{ end -}}
{{- with $v.classFilesDirs }}{{ $args = append $args (printf "--class-files-dir=%s" (join "," .)) }}{{ end -}}
{{- if $v.allowSkipVerify }}{{ $args = append $args "--allow-skip-verify=true" }}{{ end -}}
{{- with $v.hmacSecretName }}{{ $args = append $args (printf "--hmac-secret-name=%s" .) }}{{ end -}}
{{- with $v.leaseIdle }}{{ $args = append $args (printf "--lease-idle=%s" .) }}{{ end -}}
{{- $node := pick $v "priorityClassName" "resources" "volumes" "volumeMounts" "dnsPolicy" "dnsConfig" -}}
{{- $node = merge $node (pick $v.pod "nodeSelector" "affinity" "tolerations") (pick $v.daemonSet "updateStrategy") -}}
{{- $node = merge $node (dict "podLabels" $v.pod.extraLabels "podAnnotations" $v.pod.annotations "securityContext" $v.daemonSet.securityContext.container) -}}
{{- $wrong := "" -}}
{{- if and (eq $v.providerName "openbao") (not (regexMatch "\"openbao\"" (toJson $v.tokenRequests))) }}{{ $wrong = "classes for OpenBao take tokens of the audience openbao, where they name no other." }}{{ end -}}
{{- toYaml (dict
  "name" $name "app" $name "uid" 65543 "namespace" ($v.namespace.name | default .Release.Namespace)
  "account" $name "createAccount" true "accountAnnotations" $v.serviceAccount.annotations
  "image" $v.image "folder" $v.daemonSet.providersDir "args" $args "env" list
  "metrics" (include "sscsi.port" $v.metricsAddr) "probe" (include "sscsi.port" $v.metricsAddr) "health" "/healthz" "writes" ""
  "secret" ($v.hmacSecretName | default (printf "%s-csi-provider-hmac-key" $v.providerName))
  "wrongTokens" $wrong "annotations" $v.daemonSet.annotations "node" $node
) -}}
{{- end -}}
