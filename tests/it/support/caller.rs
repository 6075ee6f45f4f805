//! Callers of the API and the responses that they get.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// A client with a token or without one.
#[derive(Clone)]
pub struct Caller {
    router: Router,
    secret: Option<String>,
}

/// A complete response.
#[derive(Debug)]
pub struct ApiResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Caller {
    pub fn new(router: Router, secret: Option<String>) -> Self {
        Self { router, secret }
    }

    /// Sends a GraphQL request by POST.
    pub async fn graphql(&self, query: &str, variables: Value) -> ApiResponse {
        self.post(json!({"query": query, "variables": variables}).to_string()).await
    }

    /// Sends a body to /graphql.
    pub async fn post(&self, body: impl Into<Body>) -> ApiResponse {
        let request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/graphql-response+json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Sends any request with the caller's token, and returns the response before its body is read.
    pub async fn open(&self, mut request: Request<Body>) -> Response<Body> {
        if let Some(secret) = &self.secret {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {secret}").parse().unwrap());
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends any request with the caller's token.
    pub async fn send(&self, request: Request<Body>) -> ApiResponse {
        let (head, body) = self.open(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        ApiResponse { status: head.status, headers: head.headers, body }
    }
}

impl ApiResponse {
    /// Parses the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Returns the data, and asserts that there are no errors.
    pub fn data(&self) -> Value {
        let mut json = self.json();
        assert!(json.get("errors").is_none(), "{json}");
        json["data"].take()
    }

    /// Returns the first error.
    pub fn error(&self) -> Value {
        let json = self.json();
        assert!(json["errors"][0].is_object(), "no error in {json}");
        json["errors"][0].clone()
    }

    /// Returns the code of the first error.
    pub fn code(&self) -> String {
        self.error()["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns the message of the first error.
    pub fn message(&self) -> String {
        self.error()["message"].as_str().unwrap_or_default().to_owned()
    }
}
