//! A connection that is kept open between requests, as those of usual HTTP clients.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::TIMEOUT;
use crate::support::{ApiResponse, Client, parse_response};

pub struct Connection {
    client: Client,
    /// `None` before the first request, and after a failure.
    stream: Option<TcpStream>,
}

impl Connection {
    pub fn new(client: &Client) -> Self {
        Self { client: client.clone(), stream: None }
    }

    /// Sends a GraphQL request and returns the data. Every error is one for the client, also one that it could retry.
    pub async fn data(&mut self, query: &str, variables: Value) -> Result<Value, String> {
        let body = json!({"query": query, "variables": variables}).to_string();
        let request = self.client.request("/graphql", &body).replacen("Connection: close\r\n", "", 1);
        let stream = self.stream.take();
        let exchange = async {
            let mut stream = match stream {
                Some(stream) => stream,
                None => TcpStream::connect(self.client.address()).await?,
            };
            stream.write_all(request.as_bytes()).await?;
            let response = read(&mut stream).await?;
            std::io::Result::Ok((stream, response))
        };
        let exchanged = timeout(TIMEOUT, exchange).await.map_err(|_| "no response in time".to_owned())?;
        let (stream, response) = exchanged.map_err(|error| format!("the connection broke: {error}"))?;
        self.stream = Some(stream);
        let mut json = response.json();
        if response.status != 200 || json.get("errors").is_some() {
            return Err(format!("{} {json}", response.status));
        }
        Ok(json["data"].take())
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<ApiResponse> {
    let mut received = Vec::with_capacity(16 << 10);
    loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((response, _)) = parse_response(&received) {
            return Ok(response);
        }
    }
}
