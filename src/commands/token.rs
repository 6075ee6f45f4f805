//! `memberbase token`: creates, lists and revokes API tokens, as the operator of the server's own database.

use serde::Serialize;

use super::{Error, app, open_current, print, print_notice};
use crate::{
    app::App,
    cli::{Token, TokenAction},
    domain::{
        access::{Access, Caller},
        api_token::{self, ApiToken, NewApiToken, Secret},
    },
    types::{Anchor, Direction, Id, Limits, Page},
};

pub(super) async fn run(settings: Token) -> Result<(), Error> {
    let limits = Limits::default();
    let app = app(open_current(&settings.database, &limits).await?, limits);
    let outcome = act(&app, settings.action).await;
    app.db.close().await;
    outcome
}

async fn act(app: &App, action: TokenAction) -> Result<(), Error> {
    let operator = Caller::operator();
    match action {
        TokenAction::Create { access, memberbase, expires_at, description, json } => {
            let new = NewApiToken { description, access, memberbase, expires_at };
            let (token, secret) = api_token::create(app, &operator, new).await?;
            if json { print(in_json(&Json::new(&token, Some(&secret)))) } else { print(secret.expose()) }
        }
        TokenAction::List { json } => {
            let tokens = all(app, &operator).await?;
            if json {
                return print(in_json(&tokens.iter().map(|token| Json::new(token, None)).collect::<Vec<_>>()));
            }
            tokens.iter().try_for_each(|token| print(row(token)))
        }
        TokenAction::Revoke { id } => {
            let token = api_token::revoke(app, &operator, id).await?;
            print_notice(format_args!("{} is revoked: {}", token.id, token.description));
            Ok(())
        }
    }
}

async fn all(app: &App, operator: &Caller) -> Result<Vec<ApiToken>, Error> {
    let mut tokens = Vec::new();
    let mut start = Anchor::Start;
    loop {
        let page = Page {
            size: app.limits.page.max,
            direction: Direction::Forward,
            anchor: start,
            until: None,
            check_opposite: false,
        };
        let slice = api_token::list(app, operator, &page).await?;
        tokens.extend(slice.rows);
        match tokens.last() {
            Some(last) if slice.has_next => start = Anchor::Cursor(last.id),
            _ => return Ok(tokens),
        }
    }
}

/// A token with the field names of the API.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json<'a> {
    id: String,
    description: &'a str,
    access: &'static str,
    memberbase_id: Option<String>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> Json<'a> {
    fn new(token: &'a ApiToken, secret: Option<&'a Secret>) -> Self {
        Self {
            id: token.id.to_string(),
            description: &token.description,
            access: name(token.access),
            memberbase_id: token.memberbase.map(|id| id.to_string()),
            created_at: token.id.created_at().to_string(),
            expires_at: token.expires_at.map(|time| time.to_string()),
            last_used_at: token.last_used_at.map(|time| time.to_string()),
            revoked_at: token.revoked_at.map(|time| time.to_string()),
            secret: secret.map(Secret::expose),
        }
    }
}

fn in_json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("texts are JSON")
}

/// Returns the line of a token: id, access, memberbase, state, description.
fn row(token: &ApiToken) -> String {
    let ApiToken { id, access, description, .. } = token;
    let memberbase = token.memberbase.map_or_else(|| "every memberbase".to_owned(), |id| id.to_string());
    let state = match (token.revoked_at, token.expires_at) {
        (Some(time), _) => format!("revoked {time}"),
        (None, Some(time)) => format!("expires {time}"),
        (None, None) => "never expires".to_owned(),
    };
    // A description may contain line breaks.
    let description = description.replace(char::is_control, " ");
    format!("{id}  {access:<5}  {memberbase:<29}  {state:<32}  {description}", access = name(*access))
}

fn name(access: Access) -> &'static str {
    match access {
        Access::Read => "READ",
        Access::Write => "WRITE",
        Access::Admin => "ADMIN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ApiTokenId, Time};

    fn token() -> ApiToken {
        ApiToken {
            id: ApiTokenId::parse("atok_01h455vb4pex5vsknk084sn02q").expect("an id"),
            description: "of\nthe shop".into(),
            access: Access::Write,
            memberbase: None,
            expires_at: Time::parse("2027-01-31T12:00:00Z").ok(),
            last_used_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_row_is_one_line() {
        let row = row(&token());
        assert_eq!(
            row,
            "atok_01h455vb4pex5vsknk084sn02q  WRITE  every memberbase               expires 2027-01-31T12:00:00.000Z  of the shop"
        );
    }

    #[test]
    fn json_has_the_field_names_of_the_api() {
        let text = in_json(&Json::new(&token(), None));
        for part in ["\"access\": \"WRITE\"", "\"memberbaseId\": null", "\"expiresAt\": \"2027-01-31T12:00:00.000Z\""] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("secret"), "{text}");
    }
}
