//! The JSON type that each scalar is written as.

/// The JSON that a scalar accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Int,
    Number,
    String,
    Boolean,
    Id,
    Object,
    /// All but an object.
    Plain,
    Any,
}

impl Shape {
    /// Of a scalar, by its name.
    pub(super) fn of(scalar: &str) -> Self {
        match scalar {
            "Int" => Self::Int,
            "Float" | "Count" | "MinorUnits" => Self::Number,
            "String" | "DateTime" => Self::String,
            "Boolean" => Self::Boolean,
            "ID" => Self::Id,
            "Attributes" => Self::Object,
            "AttributeValue" => Self::Plain,
            _ => Self::Any,
        }
    }

    /// For messages.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Int => "a 32-bit integer",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Boolean => "a boolean",
            Self::Id => "a string or a whole number",
            Self::Object => "an object",
            Self::Plain => "a string, a number, a boolean or a list",
            Self::Any => "a value",
        }
    }
}
