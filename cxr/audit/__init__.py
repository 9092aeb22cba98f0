"""What a model may have learned besides the disease: probes of regions, properties, sources and places, and a verdict."""
