# The starter policy. Governance owns this file: change it in a pull request, and look at what it does with
#
#     hms-dta policy test                      the cases in tests/*.yml still hold
#     hms-dta policy diff published policies   who gains and who loses what, on your own catalogue
#     hms-dta policy publish                   put it in force
#
# How to read it
#   allow(who, "find", dataset)   its name, columns and description may be shown; without it, it answers as absent
#   allow(who, "read", dataset)   its rows may be read; that needs "find" as well
#   deny(...)                     wins over every allow
#   deny(who, "read", column)     the column answers as absent
#   mask(who, column, how)        "null", "redact", "year-of-date" or "partial"; of two masks the stricter wins
#   row_filter(who, dataset, sql) only rows where this holds; of several, all must hold
#   edit(who, how, dataset)       how = "describe", "tag", "own" or "deprecate"; and "declassify": by any of these, also
#                                 what could open something to somebody. Needs "find" as well
#
# What nobody allows is denied. What nobody labelled is RESTRICTED. A rule that breaks denies.
# Who has which role and clearance is in roles.yml. Tiers: PUBLIC < PII_SAFE < RESTRICTED.
#
# The comment right above a rule is what `hms-dta policy explain` tells people as the reason.

# Everyone with a role of roles.yml counts as known. (A rule of our own, asked by the rules below.)
known(principal: Principal) if
    not (principal.roles = []);

# People with a role may find data up to their clearance
allow(principal: Principal, "find", dataset: Dataset) if
    known(principal) and
    dataset.privacy_tier < RESTRICTED and
    dataset.privacy_tier <= principal.clearance;

# People with a role may read data up to their clearance
allow(principal: Principal, "read", dataset: Dataset) if
    known(principal) and
    dataset.privacy_tier < RESTRICTED and
    dataset.privacy_tier <= principal.clearance;

# Stewards may find everything, so that they can label it; reading RESTRICTED data takes a rule of its own
allow(principal: Principal, "find", _dataset: Dataset) if
    "steward" in principal.roles;

# Stewards say what a dataset is, whose it is, and what of it is open
edit(principal: Principal, _edit, _dataset: Dataset) if
    "steward" in principal.roles;

# A column that is more private than the person's clearance shows no value
mask(principal: Principal, column: Column, "null") if
    column.privacy_tier > principal.clearance;

# Nobody but a steward is shown a column that is tagged secret, not even its name
deny(principal: Principal, "read", column: Column) if
    "secret" in column.tags and
    not ("steward" in principal.roles);

# Examples to start from. Take the # away, then run `hms-dta policy diff`.
#
# Vessel ids are shown in part
# mask(_principal: Principal, column: Column, "partial") if "vessel-id" in column.tags;
#
# Epidemiologists may read the clinics' line list while they respond to an outbreak
# allow(principal: Principal, "read", dataset: Dataset) if
#     "epidemiologist" in principal.roles and
#     principal.purpose = "public-health-response" and
#     "line-list" in dataset.tags;
#
# Each agency reads its own rows of shared tables
# row_filter(principal: Principal, dataset: Dataset, "agency = 'DOT'") if
#     "shared" in dataset.tags and
#     principal.agency = "dot";
