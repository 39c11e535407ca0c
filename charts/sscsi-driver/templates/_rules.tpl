{{- define "sscsi-driver.rules" }}
  - apiGroups: [secrets-store.csi.x-k8s.io]
    resources: [secretproviderclasses]
    verbs: [get, list]
  - apiGroups: [secrets-store.csi.x-k8s.io]
    resources: [secretproviderclasspodstatuses]
    verbs: [create, get, patch]
  - apiGroups: [storage.k8s.io]
    resources: [csidrivers]
    resourceNames: [secrets-store.csi.k8s.io]
    verbs: [get]
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  - apiGroups: [""]
    resources: [events]
    verbs: [create]
{{- end -}}

{{- define "sscsi-driver.rules.secrets" }}
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get, create, patch]
  - apiGroups: [""]
    resources: [pods]
    verbs: [get]
{{- end -}}

{{- define "sscsi-driver.rules.taint" }}
  - apiGroups: [""]
    resources: [nodes]
    verbs: [get, patch]
  - apiGroups: [storage.k8s.io]
    resources: [csinodes]
    verbs: [get]
{{- end -}}
