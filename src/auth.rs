//! From a request's head to its caller.

use axum::http::{HeaderMap, header::AUTHORIZATION};

use crate::{
    app::App,
    domain::{Error, access::Caller, api_token},
};

/// No secret of ours is nearly as long; what is longer is not looked up.
const LONGEST_SECRET: usize = 256;

/// The caller whose token is in the `Authorization` header. `Unauthenticated` where there is no token or no valid one.
pub async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Error> {
    let secret = bearer(headers).ok_or(Error::Unauthenticated)?;
    api_token::authenticate(app, secret).await
}

/// The secret of the one header `Authorization: Bearer <secret>` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim_matches(' ');
    let fits = (1..=LONGEST_SECRET).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && fits).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().expect("a header's value"))).collect()
    }

    #[test]
    fn a_bearer_token_is_read() {
        for value in ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret"] {
            assert_eq!(bearer(&headers(&[value])), Some("s3cret"), "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_token() {
        let long = format!("Bearer {}", "x".repeat(LONGEST_SECRET + 1));
        for values in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a\tb"],
            &["Bearers3cret"],
            &["Basic s3cret"],
            &["s3cret"],
            &["Bearer s3cr\u{e9}t"],
            &[&long],
            &["Bearer a", "Bearer a"],
        ] {
            assert_eq!(bearer(&headers(values)), None, "{values:?}");
        }
    }
}
