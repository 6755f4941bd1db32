# CDC's part of the policy: who sees patients, and how much of them.

# Epidemiologists find and read all of CDC's stores.
allow(principal: Principal, "find", dataset: Dataset) if
    "epidemiologist" in principal.roles and is_of_cdc(dataset);
allow(principal: Principal, "read", dataset: Dataset) if
    "epidemiologist" in principal.roles and is_of_cdc(dataset);

is_of_cdc(dataset) if dataset.source = "cdc";
is_of_cdc(dataset) if dataset.source = "clinic";

# Shipping analysts find what they are cleared for, and read it.
allow(principal: Principal, "find", dataset: Dataset) if
    "shipping-analyst" in principal.roles and dataset.privacy_tier <= principal.clearance;
allow(principal: Principal, "read", dataset: Dataset) if
    "shipping-analyst" in principal.roles and dataset.privacy_tier <= principal.clearance;

# They count the line list's patients, each column that could tell who it is being masked below.
allow(principal: Principal, "find", dataset: Dataset) if
    "shipping-analyst" in principal.roles and "line-list" in dataset.tags;
allow(principal: Principal, "read", dataset: Dataset) if
    "shipping-analyst" in principal.roles and "line-list" in dataset.tags;

# Shipping analysts may know that there are counts of single patients, so that they can ask CDC for them.
allow(principal: Principal, "find", dataset: Dataset) if
    "shipping-analyst" in principal.roles and "small-cells" in dataset.tags;

# A clinic's own tests are no patients.
row_filter(principal: Principal, dataset: Dataset, "outcome <> 'test'") if
    "line-list" in dataset.tags and not "steward" in principal.roles;

# Who a patient is, for those who do not treat or trace them. Proposed: ZIP codes are no longer redacted.
mask(principal: Principal, column: Column, "null") if
    "patient-name" in column.tags and not sees_patients(principal);
mask(principal: Principal, column: Column, "partial") if
    "patient-identifier" in column.tags and not sees_patients(principal);
mask(principal: Principal, column: Column, "year-of-date") if
    "birth-date" in column.tags and not sees_patients(principal);

sees_patients(principal) if "epidemiologist" in principal.roles;
sees_patients(principal) if "steward" in principal.roles;
