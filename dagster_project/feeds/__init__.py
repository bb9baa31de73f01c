"""What may land: the formats of each feed, and how a file becomes rows. Knows no Dagster."""
