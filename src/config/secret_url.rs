//! The URL of a database, whose password is never shown.

use std::{convert::Infallible, fmt, str::FromStr};

/// The URL of a database. It is shown without its password, and without what follows a `?` where a password may stand too.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The whole of it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the URL without secrets; of a SQLite database the absolute path.
    pub fn shown(&self) -> String {
        let file = self.0.strip_prefix("sqlite:").map(|file| file.strip_prefix("//").unwrap_or(file));
        let path = file.map(|file| file.split('?').next().unwrap_or_default());
        match path.and_then(|path| std::path::absolute(path).ok()) {
            Some(path) => path.display().to_string(),
            None => self.to_string(),
        }
    }
}

/// Any text will do: clap would print one that is refused here, password and all. Opening the database judges it.
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
        // The last @ of all, so that a password with an unescaped @, / or ? in it is hidden whole.
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
