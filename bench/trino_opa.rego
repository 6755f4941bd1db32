# What examples/policies says of who may find and read these datasets, as OPA would be told it.
package trino

import rego.v1

default allow := false

person := data.people[input.context.identity.user]

dataset(table) := data.datasets[table.catalogName][table.schemaName][table.tableName]

is_open(known) if {
	some role in person.roles
	role in {"shipping-analyst", "epidemiologist"}
	known.tier == 0
}

is_open(known) if {
	"shipping-analyst" in person.roles
	known.tier <= person.clearance
}

is_open(known) if {
	"shipping-analyst" in person.roles
	"line-list" in known.tags
}

allow if {
	input.action.operation == "SelectFromColumns"
	known := dataset(input.action.resource.table)
	is_open(known)
	every column in input.action.resource.table.columns {
		column in known.columns
	}
}

batch contains at if {
	input.action.operation == "FilterTables"
	some at, resource in input.action.filterResources
	is_open(dataset(resource.table))
}
