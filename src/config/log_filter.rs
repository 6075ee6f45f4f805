//! Validates the log filter. `EnvFilter` reads a word that is not a level as a target, so that a misspelt level, or a
//! target under which nothing is logged, would silently turn the log off.

use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::types::{excerpt, nearest};

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Lists the packages that are built into the program: each logs under its name.
const CARGO_LOCK: &str = include_str!("../../Cargo.lock");

/// Parses a filter and returns its text, which is parsed again when the log starts: clap needs values that implement
/// `Clone`, and `EnvFilter` does not.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    let directives: Vec<_> = text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.is_empty() {
        return Err(format!("the filter is empty: use {}", forms()));
    }
    directives.iter().try_for_each(|directive| check(directive))?;
    let text = directives.join(",");
    EnvFilter::try_new(&text).map(|_| text).map_err(|error| format!("{error}: use {}", forms()))
}

fn forms() -> String {
    format!("{}, or TARGET=LEVEL", list())
}

fn list() -> String {
    let [all @ .., last] = LEVELS;
    format!("{} or {last}", all.join(", "))
}

/// Checks a directive: a level, a target, or `TARGET[SPAN]=LEVEL` in which the target or the span may be missing.
fn check(directive: &str) -> Result<(), String> {
    let (scope, level) = match directive.rsplit_once('=') {
        // The `=` is in the fields of a span.
        Some((_, value)) if value.ends_with(']') => (directive, None),
        Some((scope, level)) => (scope, Some(level)),
        None if LevelFilter::from_str(directive).is_ok() => return Ok(()),
        None => (directive, None),
    };
    if let Some(level) = level
        && (level.is_empty() || LevelFilter::from_str(level).is_err())
    {
        return Err(unknown_level(level));
    }
    let target = scope.split('[').next().unwrap_or_default();
    let package = target.split("::").next().unwrap_or_default();
    let packages: Vec<_> = packages().collect();
    if package.is_empty() || packages.iter().any(|known| known == package) {
        return Ok(());
    }
    if level.is_none() {
        return Err(unknown_level(target));
    }
    let meant = nearest(package, packages.iter().map(String::as_str));
    let meant = meant.map_or_else(|| "use one such as memberbase or sqlx".to_owned(), |name| format!("is it {name}?"));
    Err(format!("nothing is logged under {:?}: {meant}", excerpt(package)))
}

fn unknown_level(text: &str) -> String {
    let lower = text.to_lowercase();
    let alike = |level: &&str| lower.len() >= 3 && (lower.starts_with(&level[..3]) || level.starts_with(&lower));
    let meant = LEVELS.into_iter().find(alike).or_else(|| nearest(&lower, LEVELS));
    let meant = meant.map_or_else(String::new, |level| format!(" (is it {level}?)"));
    format!("{:?} is no log level{meant}: use {}", excerpt(text), forms())
}

/// Returns the names of the packages in the form that targets have.
fn packages() -> impl Iterator<Item = String> {
    let names = CARGO_LOCK.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.map(|name| name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_filter_is_accepted() {
        for text in [
            "info",
            "WARN",
            "off",
            "3",
            "memberbase",
            "info,sea_orm_migration=warn",
            "info,memberbase=debug",
            "memberbase::http::trace=trace,error",
            "sqlx::query=debug",
            "tokio_tungstenite=info",
            "[request]=debug",
            "memberbase[request{method=GET}]=trace",
            "warn,[request{method}]",
        ] {
            assert_eq!(log_filter(text).as_deref(), Ok(text));
        }
        assert_eq!(log_filter(" info, memberbase=debug,").as_deref(), Ok("info,memberbase=debug"));
    }

    #[test]
    fn an_unknown_level_is_rejected_with_the_nearest_one() {
        let forms = "use error, warn, info, debug, trace or off, or TARGET=LEVEL";
        for (text, message) in [
            ("warning", "\"warning\" is no log level (is it warn?)"),
            ("information", "\"information\" is no log level (is it info?)"),
            ("ERR", "\"ERR\" is no log level (is it error?)"),
            ("dbeug", "\"dbeug\" is no log level (is it debug?)"),
            ("verbose", "\"verbose\" is no log level"),
            ("info,memberbse", "\"memberbse\" is no log level"),
            ("memberbase=warning", "\"warning\" is no log level (is it warn?)"),
            ("memberbase=", "\"\" is no log level"),
            ("", "the filter is empty"),
            (" , ", "the filter is empty"),
        ] {
            assert_eq!(log_filter(text), Err(format!("{message}: {forms}")), "{text}");
        }
    }

    #[test]
    fn a_target_without_logs_is_rejected() {
        let message = "nothing is logged under \"memberbse\": is it memberbase?";
        assert_eq!(log_filter("info,memberbse::http=debug"), Err(message.to_owned()));
        let message = "nothing is logged under \"level\": use one such as memberbase or sqlx";
        assert_eq!(log_filter("level=debug"), Err(message.to_owned()));
    }
}
