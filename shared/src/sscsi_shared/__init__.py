"""What every Secrets Store CSI provider stands on."""
