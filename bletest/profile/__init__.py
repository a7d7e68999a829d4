"""One YAML file of a device: loading, its model, its values, and what it promises."""
