//! An HTTP client with little overhead: requests are encoded in advance, connections are kept open, and a response
//! body is a slice of the connection's buffer.

use anyhow::{Context, Result, bail, ensure};
use memchr::memmem;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The address of the API and a token.
#[derive(Clone, Debug)]
pub struct Api {
    pub address: String,
    pub token: String,
}

impl Api {
    /// Returns a complete HTTP request; `variables` is JSON.
    pub fn request(&self, query: &str, variables: &str) -> Vec<u8> {
        let body = format!("{{\"query\":{},\"variables\":{variables}}}", Value::from(query));
        let Self { address, token } = self;
        let mut request = format!(
            "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
            Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        request.push_str(&body);
        request.into_bytes()
    }

    /// Sends one request over a new connection and returns its `data`.
    pub async fn graphql(&self, query: &str, variables: &Value) -> Result<Value> {
        let mut http = Http::connect(&self.address).await?;
        let body = http.call(&self.request(query, &variables.to_string())).await?;
        Ok(serde_json::from_slice::<Value>(body)?["data"].take())
    }
}

pub struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http {
    pub async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 16 << 10] })
    }

    /// Sends a request and returns the body of the response, which must be a 200 without errors.
    pub async fn call(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let (start, end) = loop {
            filled += self.read(filled).await?;
            if let Some(head) = memmem::find(&self.buffer[..filled], b"\r\n\r\n") {
                break (head + 4, head + 4 + length(&self.buffer[..head])?);
            }
        };
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while filled < end {
            filled += self.read(filled).await?;
        }
        let body = &self.buffer[start..end];
        let refused = !self.buffer.starts_with(b"HTTP/1.1 200") || !body.starts_with(b"{\"data\":{");
        if refused || memmem::find(body, b"\"errors\":").is_some() {
            let response = String::from_utf8_lossy(&self.buffer[..end.min(2_000)]);
            bail!("response with errors: {response}");
        }
        Ok(body)
    }

    /// Sends a request after whose response the server closes the connection, and returns the response with its head.
    pub async fn call_to_end(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        self.stream.write_all(request).await?;
        let mut response = Vec::new();
        self.stream.read_to_end(&mut response).await?;
        Ok(response)
    }

    async fn read(&mut self, filled: usize) -> Result<usize> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        let read = self.stream.read(&mut self.buffer[filled..]).await?;
        ensure!(read > 0, "the server closed the connection in the middle of a response");
        Ok(read)
    }
}

fn length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let length = head.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| is_length(name)));
    let (_, length) = length.context("a response without Content-Length")?;
    Ok(length.parse()?)
}

fn is_length(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-length")
}
