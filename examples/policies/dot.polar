# Transport's part of the policy: who sees the lake, and who sees which vessel it was.

# What an agency published is for everyone with a role here.
allow(principal: Principal, "find", dataset: Dataset) if has_role(principal) and dataset.privacy_tier = PUBLIC;
allow(principal: Principal, "read", dataset: Dataset) if has_role(principal) and dataset.privacy_tier = PUBLIC;

# Analysts and epidemiologists work with the whole transport lake.
allow(principal: Principal, "find", dataset: Dataset) if works_with_lake(principal) and dataset.source = "lake";
allow(principal: Principal, "read", dataset: Dataset) if works_with_lake(principal) and dataset.source = "lake";

# Which vessel it was is for shipping analysts and stewards; others see that it was one.
mask(principal: Principal, column: Column, "redact") if
    "vessel-identifier" in column.tags and
    not sees_vessels(principal);

# A steward sees everything.
allow(principal: Principal, "find", _: Dataset) if "steward" in principal.roles;
allow(principal: Principal, "read", _: Dataset) if "steward" in principal.roles;

has_role(principal) if "shipping-analyst" in principal.roles;
has_role(principal) if "epidemiologist" in principal.roles;

works_with_lake(principal) if "shipping-analyst" in principal.roles;
works_with_lake(principal) if "epidemiologist" in principal.roles;

sees_vessels(principal) if "shipping-analyst" in principal.roles;
sees_vessels(principal) if "steward" in principal.roles;
