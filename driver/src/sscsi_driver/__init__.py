"""The CSI node driver."""
