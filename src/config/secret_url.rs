//! The URL of a database, with its password redacted when shown.

use std::{convert::Infallible, fmt, str::FromStr};

/// The URL of a database. It is shown without its password, and without its query, which may contain a password too.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// Returns the whole URL with its password.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the URL without secrets, or the absolute path of a SQLite database.
    pub(crate) fn shown(&self) -> String {
        let file = self.0.strip_prefix("sqlite:").map(|file| file.strip_prefix("//").unwrap_or(file));
        let path = file.map(|file| file.split('?').next().unwrap_or_default());
        match path.and_then(|path| std::path::absolute(path).ok()) {
            Some(path) => path.display().to_string(),
            None => self.to_string(),
        }
    }
}

/// Accepts any text, because clap prints a rejected value, including its password. Opening the database validates the
/// URL.
impl FromStr for SecretUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return formatter.write_str("***");
        };
        if scheme == "sqlite" {
            return formatter.write_str(&self.0);
        }
        // The last @, so that a password that contains an unescaped @, / or ? is hidden completely.
        let (user, address) = match rest.rsplit_once('@') {
            Some((credentials, address)) => (Some(credentials.split(':').next().unwrap_or_default()), address),
            None => (None, rest),
        };
        write!(formatter, "{scheme}://")?;
        if let Some(user) = user {
            write!(formatter, "{user}:***@")?;
        }
        match address.split_once('?') {
            Some((address, _)) => write!(formatter, "{address}?***"),
            None => formatter.write_str(address),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("sqlite://memberbase.db?mode=rwc", "sqlite://memberbase.db?mode=rwc"),
            ("postgres://host/name", "postgres://host/name"),
            ("postgres://ann:s3cret@host:5432/name", "postgres://ann:***@host:5432/name"),
            ("postgres://ann@host/name", "postgres://ann:***@host/name"),
            ("postgres://ann:s3cret@x/s3cret?s3cret@host/name", "postgres://ann:***@host/name"),
            ("postgres://host/name?user=ann&password=s3cret", "postgres://host/name?***"),
            ("postgres://ann:s3cret@host/name?sslmode=require", "postgres://ann:***@host/name?***"),
            ("ann:s3cret@host", "***"),
        ] {
            let Ok(url) = url.parse::<SecretUrl>();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("s3cret"), "{url:?}");
        }
    }
}
