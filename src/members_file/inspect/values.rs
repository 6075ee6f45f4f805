//! Recognizes types, and forms of numbers and dates, by the values of columns.

use crate::{
    domain::attribute::AttributeType,
    members_file::{
        cell,
        forms::{self, DateOrder, Decimal},
    },
};

/// Returns the decimal separator with which all values of a column are numbers that are none without it.
pub(super) fn decimal<'a, Values: Iterator<Item = &'a str>>(
    columns: usize,
    values: impl Fn(usize) -> Values,
) -> Option<Decimal> {
    [Decimal::Comma, Decimal::Point].into_iter().find(|separator| {
        (0..columns).any(|column| {
            let present = || values(column).filter(|value| !is_none(value));
            present().all(|value| forms::number(value, Some(*separator)).is_some())
                && present().any(|value| forms::number(value, None).is_none())
        })
    })
}

/// Returns the order with which all values of a column are dates that are none without it. If both orders fit, it is not
/// known.
pub(super) fn date_order<'a, Values: Iterator<Item = &'a str>>(
    columns: usize,
    values: impl Fn(usize) -> Values,
) -> Option<DateOrder> {
    let fits = |order: DateOrder| {
        (0..columns).any(|column| {
            let present = || values(column).filter(|value| !is_none(value));
            present().all(|value| is_date(value, Some(order))) && present().any(|value| !is_date(value, None))
        })
    };
    match (fits(DateOrder::Dmy), fits(DateOrder::Mdy)) {
        (true, false) => Some(DateOrder::Dmy),
        (false, true) => Some(DateOrder::Mdy),
        _ => None,
    }
}

/// Returns the narrowest type of all values.
pub(super) fn kind<'a>(
    values: impl Iterator<Item = &'a str> + Clone,
    decimal: Option<Decimal>,
    order: Option<DateOrder>,
) -> Option<AttributeType> {
    let present = values.filter(|value| !is_none(value));
    present.clone().next()?;
    let all = |is_such: &dyn Fn(&str) -> bool| present.clone().all(is_such);
    // A value that the API would reject has another type.
    let is_valid = |kind: AttributeType, json: Option<String>| json.is_some_and(|json| kind.read(&json).is_ok());
    Some(if all(&|value| is_valid(AttributeType::Number, forms::number(value, decimal))) {
        AttributeType::Number
    } else if all(&|value| forms::boolean(value).is_some()) {
        AttributeType::Boolean
    } else if all(&|value| is_date(value, order)) {
        AttributeType::Date
    } else if all(&|value| is_valid(AttributeType::StringList, forms::list(value))) {
        AttributeType::StringList
    } else {
        AttributeType::String
    })
}

/// Returns the type of the values of a field that has strings. Within an object of attributes, a date has to be one of the API.
pub(super) fn kind_of_strings<'a>(
    values: impl Iterator<Item = &'a str> + Clone,
    order: Option<DateOrder>,
    is_nested: bool,
) -> Option<AttributeType> {
    let mut present = values.filter(|value| !is_none(value)).peekable();
    present.peek()?;
    let is_such = |value: &str| if is_nested { is_stored_date(value) } else { is_date(value, order) };
    Some(if present.all(is_such) { AttributeType::Date } else { AttributeType::String })
}

/// Returns true for a date of the calendar, in a form that can be read.
fn is_date(text: &str, order: Option<DateOrder>) -> bool {
    forms::date(text, order).is_some_and(|date| is_stored_date(&date))
}

/// Returns true for a date as the API has it.
fn is_stored_date(text: &str) -> bool {
    !text.contains(['"', '\\']) && AttributeType::Date.read(&format!("\"{text}\"")).is_ok()
}

pub(super) fn is_none(value: &str) -> bool {
    value.is_empty() || value == cell::NONE || value.eq_ignore_ascii_case("null")
}
