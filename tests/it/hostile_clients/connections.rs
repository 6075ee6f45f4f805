//! Very many connections, most of them without a token.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::swarm::{Source, Swarm};

/// Far longer than the server keeps any of these connections open.
const MAX_OPEN: Duration = Duration::from_secs(90);

/// Pause of a silent client before it connects again. All of them together connect a thousand times a second at most.
const SILENT_PAUSE: Duration = Duration::from_secs(1);

/// A head of this size does not exceed the limit.
const HEAD_BYTES: usize = 60_000;

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n";

/// Adds all clients.
pub fn add(swarm: &mut Swarm) {
    swarm.add_with_pause(SILENT_PAUSE, "silent connection", 1_150, |source, _| async move {
        closed(source.connect().await?).await
    });
    swarm.add_with_pause(SILENT_PAUSE, "unfinished head", 60, |source, _| async move {
        let head = format!("{LIVEZ}X-Filler: {}", "x".repeat(HEAD_BYTES));
        trickle(source.connect().await?, head.as_bytes()).await
    });
    swarm.add("churn", 6, |source, client| async move { churn(source, client).await });
    swarm.add("readyz", 4, |source, _| async move { readyz(source.connect().await?).await });
    swarm.add_with_pause(SILENT_PAUSE, "socket without a token", 60, |source, _| async move {
        closed(open_socket(source.connect().await?, "").await?).await
    });
    swarm.add_with_pause(SILENT_PAUSE, "unfinished frame without a token", 60, |source, client| async move {
        let bytes = if client.is_multiple_of(2) { 4_000 } else { 400_000 };
        let mut stream = open_socket(source.connect().await?, "").await?;
        let _ = stream.write_all(&frame(bytes)).await;
        closed(stream).await
    });
}

/// Reads until the server closes the connection.
pub async fn closed(mut stream: TcpStream) -> Result<String, String> {
    match timeout(MAX_OPEN, tokio::io::copy(&mut stream, &mut tokio::io::sink())).await {
        Ok(_) => Ok("closed by the server".to_owned()),
        Err(_) => Err(format!("open for {MAX_OPEN:?}")),
    }
}

/// Sends these bytes, and then one byte a second until the server closes the connection.
pub async fn trickle(mut stream: TcpStream, bytes: &[u8]) -> Result<String, String> {
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(bytes).await?;
        loop {
            sleep(Duration::from_secs(1)).await;
            writer.write_all(b"x").await?;
        }
    };
    let mut sink = tokio::io::sink();
    let ended: std::io::Result<()> = tokio::select! {
        ended = write => ended,
        read = tokio::io::copy(&mut reader, &mut sink) => read.map(drop),
    };
    Ok(ended.map_or("connection reset", |()| "closed by the server").to_owned())
}

/// Opens and closes connections without a pause, with and without a request.
async fn churn(source: Source, client: usize) -> Result<String, String> {
    for _ in 0..10 {
        let mut stream = source.connect().await?;
        if client.is_multiple_of(2) {
            let request = format!("{LIVEZ}Connection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.map_err(|error| error.kind().to_string())?;
            closed(stream).await?;
        }
    }
    Ok("10 connections".to_owned())
}

/// Sends one readiness check after another.
async fn readyz(mut stream: TcpStream) -> Result<String, String> {
    let mut buffer = vec![0; 4_096];
    for _ in 0..100 {
        let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        asked.map_err(|error| error.kind().to_string())?;
        let length = stream.read(&mut buffer).await.map_err(|error| error.kind().to_string())?;
        if !buffer[..length].starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&buffer[..length]).lines().next().unwrap_or("closed").to_owned());
        }
    }
    Ok("ready 100 times".to_owned())
}

/// Opens a WebSocket with more lines of the head, for instance a token.
pub async fn open_socket(mut stream: TcpStream, more: &str) -> Result<TcpStream, String> {
    let request = format!(
        "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|error| error.kind().to_string())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(|error| format!("no socket: {}", error.kind()))?);
    }
    let status = String::from_utf8_lossy(&head[..head.len().min(12)]).into_owned();
    if status == "HTTP/1.1 101" { Ok(stream) } else { Err(status) }
}

/// Returns the start of a text frame of this many bytes, masked with zeros: all but the last 100 bytes.
pub fn frame(bytes: usize) -> Vec<u8> {
    let mut frame = vec![0x81, 0xff];
    frame.extend((bytes as u64).to_be_bytes());
    frame.extend([0; 4]);
    frame.resize(frame.len() + bytes - 100, b'x');
    frame
}
