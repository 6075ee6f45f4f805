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
    /// Anything except an object.
    NoObject,
    Any,
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
            "AttributeValue" => Self::NoObject,
            _ => Self::Any,
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
            Self::Any => "a value",
        }
    }
}
