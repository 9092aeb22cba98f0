"""The config: schema, composition by Hydra, validation, provenance, fingerprints."""
