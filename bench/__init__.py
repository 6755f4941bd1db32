"""Speed, measured: each figure beside a limit that is measured in the same run, both sides' answers compared."""
