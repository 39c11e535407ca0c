"""Generated code of the CSI contract; see proto/csi/v1/csi.proto."""
