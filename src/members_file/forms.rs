//! The forms in which spreadsheets and databases write numbers, booleans, dates and lists, as JSON.
//!
//! A text that has none of the forms is none of this module's business: the API rejects it.

use clap::ValueEnum;
use serde_json::value::RawValue;

/// The separator between the integer and the fraction of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Decimal {
    /// 1,234.56
    Point,
    /// 1.234,56
    Comma,
}

/// The order of the parts of a date with slashes or hyphens whose year comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DateOrder {
    /// 31/12/2024
    Dmy,
    /// 12/31/2024
    Mdy,
}

/// Separators of thousands besides the one that [`Decimal`] leaves: spaces, also those that do not break, and apostrophes.
const THOUSANDS: [char; 5] = [' ', '\u{a0}', '\u{202f}', '\'', '\u{2019}'];

const TRUE: [&str; 13] = ["true", "t", "1", "yes", "y", "on", "ja", "j", "wahr", "oui", "vrai", "s\u{ed}", "verdadero"];

const FALSE: [&str; 11] = ["false", "f", "0", "no", "n", "off", "nein", "falsch", "non", "faux", "falso"];

/// Returns a JSON number. Without `decimal` only JSON is one: in `1,234` and `1.234` the separator could be either.
pub(super) fn number(text: &str, decimal: Option<Decimal>) -> Option<String> {
    let Some(decimal) = decimal else { return is_number(text).then(|| text.to_owned()) };
    let (point, group) = match decimal {
        Decimal::Point => ('.', ','),
        Decimal::Comma => (',', '.'),
    };
    let (integer, fraction) = text.split_once(point).map_or((text, None), |(left, right)| (left, Some(right)));
    let (sign, integer) = match integer.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", integer.strip_prefix('+').unwrap_or(integer)),
    };
    let separator = integer.chars().find(|letter| *letter == group || THOUSANDS.contains(letter));
    let digits = match separator {
        Some(separator) => {
            let mut groups = integer.split(separator);
            let first = groups.next()?;
            let is_grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
            is_grouped.then(|| integer.replace(separator, ""))?
        }
        None => integer.to_owned(),
    };
    let fraction = fraction.map_or_else(String::new, |digits| format!(".{digits}"));
    Some(format!("{sign}{digits}{fraction}")).filter(|number| is_number(number))
}

fn is_number(text: &str) -> bool {
    is_json(text, |first| first == '-' || first.is_ascii_digit())
}

/// Returns whether a text is JSON without surrounding space whose first character matches.
fn is_json(text: &str, first: fn(char) -> bool) -> bool {
    text.starts_with(first) && !text.ends_with(char::is_whitespace) && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// Returns the value of a word for yes or no.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let word = text.to_lowercase();
    if TRUE.contains(&&*word) {
        Some(true)
    } else if FALSE.contains(&&*word) {
        Some(false)
    } else {
        None
    }
}

/// Returns a date or date-time of RFC 3339 for those of databases (`2026-01-31 10:00:00+00`) and spreadsheets
/// (`31.12.2024`, with an order `31/12/2024`). A date-time without an offset is in UTC.
pub(super) fn date(text: &str, order: Option<DateOrder>) -> Option<String> {
    let end = text.find([' ', 'T']).unwrap_or(text.len());
    let (date, time) = text.split_at(end);
    let date = day(date, order)?;
    match time.get(1..) {
        None => Some(date),
        Some(time) => Some(format!("{date}T{}", time_of_day(time)?)),
    }
}

fn day(text: &str, order: Option<DateOrder>) -> Option<String> {
    let separator = text.chars().find(|letter| !letter.is_ascii_digit())?;
    let mut parts = text.split(separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, month, day) = match (separator, order) {
        ('-' | '/', _) if first.len() == 4 => (first, second, third),
        ('.', _) | ('-' | '/', Some(DateOrder::Dmy)) => (third, second, first),
        ('-' | '/', Some(DateOrder::Mdy)) => (third, first, second),
        _ => return None,
    };
    let is_short = |part: &str| (1..=2).contains(&part.len()) && is_digits(part);
    (year.len() == 4 && is_digits(year) && is_short(month) && is_short(day))
        .then(|| format!("{year}-{month:0>2}-{day:0>2}"))
}

/// Returns a time with seconds and an offset.
fn time_of_day(text: &str) -> Option<String> {
    let end = text.find(|letter: char| !matches!(letter, '0'..='9' | ':' | '.')).unwrap_or(text.len());
    let (time, offset) = text.split_at(end);
    let mut parts = time.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let (whole, fraction) = second.split_once('.').map_or((second, None), |(whole, digits)| (whole, Some(digits)));
    let is_valid = parts.next().is_none()
        && (1..=2).contains(&hour.len())
        && minute.len() == 2
        && whole.len() == 2
        && [hour, minute, whole].into_iter().all(is_digits)
        && fraction.is_none_or(|digits| !digits.is_empty() && is_digits(digits));
    let offset = offset_of(offset.strip_prefix(' ').unwrap_or(offset))?;
    is_valid.then(|| format!("{hour:0>2}:{minute}:{second}{offset}"))
}

/// Returns an offset of RFC 3339.
fn offset_of(text: &str) -> Option<String> {
    if matches!(text, "" | "Z" | "z" | "UTC") {
        return Some("Z".to_owned());
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let digits = digits.replacen(':', "", 1);
    let is_valid = matches!(sign, "+" | "-") && matches!(digits.len(), 2 | 4) && is_digits(&digits);
    is_valid.then(|| format!("{sign}{}:{:0<2}", &digits[..2], &digits[2..]))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns a JSON list of strings for one in JSON or of PostgreSQL (`{a,"b c"}`).
pub(super) fn list(text: &str) -> Option<String> {
    if is_json(text, |first| first == '[') {
        return Some(text.to_owned());
    }
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?.chars().peekable();
    let mut items = Vec::new();
    if rest.peek().is_none() {
        return Some("[]".to_owned());
    }
    loop {
        items.push(item(&mut rest)?);
        match rest.next() {
            Some(',') => {}
            None => return serde_json::to_string(&items).ok(),
            Some(_) => return None,
        }
    }
}

/// Reads an item of an array of PostgreSQL (<https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>).
fn item(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut item = String::new();
    if rest.next_if_eq(&'"').is_some() {
        loop {
            match rest.next()? {
                '"' => return Some(item),
                '\\' => item.push(rest.next()?),
                letter => item.push(letter),
            }
        }
    }
    while let Some(letter) = rest.next_if(|letter| *letter != ',') {
        match letter {
            '\\' => item.push(rest.next()?),
            '{' | '}' | '"' => return None,
            letter => item.push(letter),
        }
    }
    // An item that is not quoted is not empty, and NULL is no text.
    (!item.trim().is_empty() && !item.eq_ignore_ascii_case("null")).then(|| item.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_decimal_separator() {
        for (text, plain, point, comma) in [
            ("7", Some("7"), Some("7"), Some("7")),
            ("-2.50", Some("-2.50"), Some("-2.50"), None),
            ("1,5", None, None, Some("1.5")),
            ("1e3", Some("1e3"), Some("1e3"), Some("1e3")),
            ("1.234", Some("1.234"), Some("1.234"), Some("1234")),
            ("1,234", None, Some("1234"), Some("1.234")),
            ("1.234.567,89", None, None, Some("1234567.89")),
            ("1,234,567.89", None, Some("1234567.89"), None),
            ("-1 234,5", None, None, Some("-1234.5")),
            ("1\u{a0}234", None, Some("1234"), Some("1234")),
            ("1'234.5", None, Some("1234.5"), None),
            ("+5", None, Some("5"), Some("5")),
            ("12,34.5", None, None, None),
            ("1,,234", None, None, None),
            ("1,234 567", None, None, None),
            ("007", None, None, None),
            ("", None, None, None),
            ("-", None, None, None),
            ("5.", None, None, None),
            (" 7", None, None, None),
            ("NaN", None, None, None),
        ] {
            assert_eq!(number(text, None).as_deref(), plain, "{text:?}");
            assert_eq!(number(text, Some(Decimal::Point)).as_deref(), point, "{text:?} with a point");
            assert_eq!(number(text, Some(Decimal::Comma)).as_deref(), comma, "{text:?} with a comma");
        }
    }

    #[test]
    fn booleans_are_words_in_some_languages() {
        for (text, expected) in [
            ("TRUE", Some(true)),
            ("Ja", Some(true)),
            ("S\u{cd}", Some(true)),
            ("WAHR", Some(true)),
            ("nein", Some(false)),
            ("No", Some(false)),
            ("0", Some(false)),
            ("2", None),
            ("", None),
            (" ja", None),
        ] {
            assert_eq!(boolean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn dates_are_those_of_databases_and_spreadsheets() {
        let dmy = Some(DateOrder::Dmy);
        for (text, order, expected) in [
            ("2026-01-31", None, Some("2026-01-31")),
            ("2026/1/31", None, Some("2026-01-31")),
            ("31.12.2024", None, Some("2024-12-31")),
            ("3.2.2024", Some(DateOrder::Mdy), Some("2024-02-03")),
            ("3/14/2024", None, None),
            ("3/14/2024", Some(DateOrder::Mdy), Some("2024-03-14")),
            ("14/3/2024 8:05", dmy, Some("2024-03-14T08:05:00Z")),
            ("14-03-2024", dmy, Some("2024-03-14")),
            ("14/3/24", dmy, None),
            ("2026-01-31 10:00:00+00", None, Some("2026-01-31T10:00:00+00:00")),
            ("2026-01-31 10:00:00.123456-0530", None, Some("2026-01-31T10:00:00.123456-05:30")),
            ("2026-01-31 10:00:00.000 Z", None, Some("2026-01-31T10:00:00.000Z")),
            ("2026-01-31 10:00:00 UTC", None, Some("2026-01-31T10:00:00Z")),
            ("2026-01-31T10:00:00", None, Some("2026-01-31T10:00:00Z")),
            ("2026-01-31T10:00:00+02:00", None, Some("2026-01-31T10:00:00+02:00")),
            ("2026-01-31 10:00:00+1", None, None),
            ("2026-01-31 10", None, None),
            ("2026-01-31 ", None, None),
            ("2026-01-31 10:00:00:00", None, None),
            ("2026-1-2-3", None, None),
            ("today", None, None),
            ("", None, None),
        ] {
            assert_eq!(date(text, order).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn lists_are_those_of_json_and_of_postgresql() {
        for (text, expected) in [
            (r#"["a", "b"]"#, Some(r#"["a", "b"]"#)),
            ("[]", Some("[]")),
            ("{}", Some("[]")),
            ("{a,b}", Some(r#"["a","b"]"#)),
            (r#"{"a, \"b\"",c d}"#, Some(r#"["a, \"b\"","c d"]"#)),
            (r#"{""}"#, Some(r#"[""]"#)),
            (r"{a\,b}", Some(r#"["a,b"]"#)),
            ("{a,NULL}", None),
            ("{a,}", None),
            ("{{a},{b}}", None),
            (r#"{"a"b}"#, None),
            (r#"{"a}"#, None),
            ("a,b", None),
            ("[a]", None),
        ] {
            assert_eq!(list(text).as_deref(), expected, "{text:?}");
        }
    }
}
