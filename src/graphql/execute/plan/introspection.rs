//! The introspection types, which a registry made of our own root types lacks.

const TYPES: [&str; 6] = ["__Schema", "__Type", "__Field", "__InputValue", "__EnumValue", "__Directive"];

/// Whether a type of introspection has fields.
pub(super) fn is_object(name: &str) -> bool {
    TYPES.contains(&name)
}

/// The type of a field of introspection; of those that are plain strings and may be null, nothing is said.
pub(super) fn field_type(name: &str, field: &str) -> Option<&'static str> {
    Some(match (name, field) {
        (_, "__typename") => "String!",
        ("__Schema", "types") => "[__Type!]!",
        ("__Schema", "queryType") => "__Type!",
        ("__Schema", "mutationType" | "subscriptionType") => "__Type",
        ("__Schema", "directives") => "[__Directive!]!",
        ("__Type", "kind") => "__TypeKind!",
        ("__Type", "fields") => "[__Field!]",
        ("__Type", "interfaces" | "possibleTypes") => "[__Type!]",
        ("__Type", "enumValues") => "[__EnumValue!]",
        ("__Type", "inputFields") => "[__InputValue!]",
        ("__Type", "ofType") => "__Type",
        ("__Field" | "__InputValue" | "__EnumValue" | "__Directive", "name") => "String!",
        ("__Field" | "__Directive", "args") => "[__InputValue!]!",
        ("__Field" | "__InputValue", "type") => "__Type!",
        ("__Field" | "__InputValue" | "__EnumValue", "isDeprecated") => "Boolean!",
        ("__Directive", "isRepeatable") => "Boolean!",
        ("__Directive", "locations") => "[__DirectiveLocation!]!",
        (_, "__schema") => "__Schema!",
        (_, "__type") => "__Type",
        _ => return None,
    })
}
