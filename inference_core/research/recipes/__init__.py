"""What makes weights, stage by stage, as short files that `mrsi-superres train --recipe` reads."""
