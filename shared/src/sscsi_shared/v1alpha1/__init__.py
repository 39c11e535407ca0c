"""Generated code of the provider contract; see proto/provider/v1alpha1/provider.proto."""
