//! The name that somebody may have meant who wrote another.

/// Returns the name that is nearest to the text, if one is near: at most two letters are wrong, missing or swapped, and no
/// more than a third of them.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (text.chars().count() / 3).min(2);
    let distance = |name: &str| strsim::osa_distance(text, name);
    let near = names.into_iter().map(|name| (distance(name), name)).filter(|(distance, _)| *distance <= most);
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["error", "warn", "info", "debug", "DATABASE_URL", "LISTEN"];
        for (text, expected) in [
            ("erorr", Some("error")),
            ("DATABSE_URL", Some("DATABASE_URL")),
            ("DATABASEURL", Some("DATABASE_URL")),
            ("LISTN", Some("LISTEN")),
            ("info", Some("info")),
            ("", None),
            ("warning", None),
            ("PORT", None),
            ("DATABASE", None),
        ] {
            assert_eq!(nearest(text, names), expected, "{text}");
        }
    }
}
