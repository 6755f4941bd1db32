"""Other people's crawlers beside ours, on the same stores: how long, how much memory, and what each lost."""
