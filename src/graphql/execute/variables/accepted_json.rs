//! The JSON that each scalar accepts as input (<https://spec.graphql.org/draft/#sec-Scalars>).

/// The JSON that a scalar accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AcceptedJson {
    Int,
    Number,
    String,
    Boolean,
    Id,
    Object,
    /// Anything except an object; items of a list are strings.
    NoObject,
}

impl AcceptedJson {
    pub(super) fn of(scalar: &str) -> Self {
        match scalar {
            "Int" => Self::Int,
            "Float" | "Count" | "MinorUnits" => Self::Number,
            "String" | "DateTime" => Self::String,
            "Boolean" => Self::Boolean,
            "ID" => Self::Id,
            "Attributes" => Self::Object,
            // AttributeValue. A test of the schema's scalars finds another one.
            _ => Self::NoObject,
        }
    }

    /// Describes what is expected, for messages.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Int => "a 32-bit integer",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Boolean => "a boolean",
            Self::Id => "a string or a whole number",
            Self::Object => "an object",
            Self::NoObject => "a string, a number, a boolean or a list",
        }
    }
}
