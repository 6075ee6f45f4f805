//! Suggestions for misspelled names.

/// Returns the most similar name, if one is similar enough: at most two edits (optimal string alignment distance), and
/// at most one for every three letters.
pub(crate) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let max_distance = (text.chars().count() / 3).min(2);
    let distance = |name: &str| strsim::osa_distance(text, name);
    let near = names.into_iter().map(|name| (distance(name), name)).filter(|(distance, _)| *distance <= max_distance);
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_names_are_recognized_and_other_words_are_not() {
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
