//! The bare client: PostgreSQL's wire protocol with prepared statements, binary values and messages encoded in advance.
//! Does the same work as `pgbench -M prepared`.

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

/// A row of a simple query, as text.
pub type TextRow = Vec<Option<String>>;

pub struct Postgres {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// The result of a statement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Rows in the response.
    pub rows: u64,
    /// Rows that the last statement affected.
    pub touched: u64,
}

pub enum Bind<'a> {
    Uuid(Uuid),
    Int(i64),
    Text(&'a str),
    Uuids(&'a [Uuid]),
    Texts(&'a [String]),
}

const TEXT: u32 = 25;
const UUID: u32 = 2950;

impl Postgres {
    /// Connects to `postgres://user@host:port/database` with trust authentication.
    pub async fn connect(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("postgres://").context("the URL does not begin with postgres://")?;
        let (user, rest) = rest.split_once('@').context("the URL names no user")?;
        let (address, database) = rest.split_once('/').context("the URL names no database")?;
        let user = user.split_once(':').map_or(user, |(user, _)| user);
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, buffer: vec![0; 64 << 10], filled: 0 };
        let mut startup = vec![0, 0, 0, 0, 0, 3, 0, 0];
        for text in ["user", user, "database", database, "application_name", "bench", ""] {
            startup.extend_from_slice(text.as_bytes());
            startup.push(0);
        }
        let size = u32::try_from(startup.len())?.to_be_bytes();
        startup[..4].copy_from_slice(&size);
        client.stream.write_all(&startup).await?;
        client.response(|_| Ok(())).await?;
        Ok(client)
    }

    pub async fn prepare(&mut self, name: &str, sql: &str) -> Result<()> {
        let mut out = Vec::new();
        message(&mut out, b'P', |out| {
            for text in [name, sql] {
                out.extend_from_slice(text.as_bytes());
                out.push(0);
            }
            out.extend_from_slice(&[0, 0]);
        });
        message(&mut out, b'S', |_| ());
        self.call(&out).await.with_context(|| sql.to_owned()).map(drop)
    }

    /// Sends messages that end in one `Sync` or are one simple query.
    pub async fn call(&mut self, messages: &[u8]) -> Result<Done> {
        self.stream.write_all(messages).await?;
        self.response(|_| Ok(())).await
    }

    /// Sends messages and returns each row's values.
    pub async fn collect(&mut self, messages: &[u8]) -> Result<Vec<Vec<Option<Vec<u8>>>>> {
        self.stream.write_all(messages).await?;
        let mut rows = Vec::new();
        self.response(|body| {
            rows.push(values(body)?);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Runs SQL and returns its rows as text.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<TextRow>> {
        let rows = self.collect(&query(sql)).await.with_context(|| sql.to_owned())?;
        let text = |value: Option<Vec<u8>>| value.map(String::from_utf8).transpose();
        rows.into_iter().map(|row| Ok(row.into_iter().map(text).collect::<Result<_, _>>()?)).collect()
    }

    /// Runs SQL that returns one value.
    pub async fn value(&mut self, sql: &str) -> Result<String> {
        let row = self.run(sql).await?.into_iter().next();
        row.and_then(|row| row.into_iter().next().flatten()).with_context(|| format!("no value: {sql}"))
    }

    /// Reads until the server is ready for the next query.
    async fn response(&mut self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<Done> {
        let (mut at, mut done, mut error) = (0, Done::default(), None);
        self.filled = 0;
        loop {
            if self.filled - at >= 5 {
                let size = u32::from_be_bytes(self.buffer[at + 1..at + 5].try_into()?) as usize;
                if self.filled - at > size {
                    let (tag, body) = (self.buffer[at], &self.buffer[at + 5..at + 1 + size]);
                    at += 1 + size;
                    match tag {
                        b'D' => {
                            done.rows += 1;
                            take(body)?;
                        }
                        b'C' => done.touched = touched(body),
                        b'E' => error = Some(String::from_utf8_lossy(body).replace('\0', " ")),
                        b'R' => ensure!(body == [0; 4], "the cluster asks for a password, which this client has not"),
                        b'Z' => match error {
                            None => return Ok(done),
                            Some(error) => bail!("PostgreSQL: {error}"),
                        },
                        _ => {}
                    }
                    continue;
                }
                self.make_room(&mut at, size + 1);
            } else {
                self.make_room(&mut at, 5);
            }
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            ensure!(read > 0, "PostgreSQL closed the connection: {error:?}");
            self.filled += read;
        }
    }

    /// Moves unread bytes to the front if the buffer has no room for a message.
    fn make_room(&mut self, at: &mut usize, message: usize) {
        if *at == self.filled {
            (*at, self.filled) = (0, 0);
        }
        if self.buffer.len() < *at + message {
            self.buffer.copy_within(*at..self.filled, 0);
            (*at, self.filled) = (0, self.filled - *at);
        }
        if self.buffer.len() < message {
            self.buffer.resize(message, 0);
        }
    }
}

/// Returns a simple query message.
pub fn query(sql: &str) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, b'Q', |out| {
        out.extend_from_slice(sql.as_bytes());
        out.push(0);
    });
    out
}

/// Returns the messages that execute a prepared statement with these values, with results in binary.
pub fn execute(name: &str, binds: &[Bind<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, b'B', |out| {
        out.push(0);
        out.extend_from_slice(name.as_bytes());
        // One format for all values: binary.
        out.extend_from_slice(&[0, 0, 1, 0, 1]);
        out.extend_from_slice(&count(binds.len())[2..]);
        for bind in binds {
            sized(out, |out| match bind {
                Bind::Uuid(uuid) => out.extend_from_slice(uuid.as_bytes()),
                Bind::Int(int) => out.extend_from_slice(&int.to_be_bytes()),
                Bind::Text(text) => out.extend_from_slice(text.as_bytes()),
                Bind::Uuids(uuids) => array(out, UUID, uuids.iter().map(|uuid| uuid.as_bytes().as_slice())),
                Bind::Texts(texts) => array(out, TEXT, texts.iter().map(|text| text.as_bytes())),
            });
        }
        out.extend_from_slice(&[0, 1, 0, 1]);
    });
    message(&mut out, b'E', |out| out.extend_from_slice(&[0; 5]));
    message(&mut out, b'S', |_| ());
    out
}

fn array<'a>(out: &mut Vec<u8>, of: u32, values: impl ExactSizeIterator<Item = &'a [u8]>) {
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    out.extend_from_slice(&of.to_be_bytes());
    out.extend_from_slice(&count(values.len()));
    out.extend_from_slice(&[0, 0, 0, 1]);
    for value in values {
        sized(out, |out| out.extend_from_slice(value));
    }
}

fn message(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let size = count(out.len() - at);
    out[at..at + 4].copy_from_slice(&size);
}

fn sized(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    value(out);
    let size = count(out.len() - at - 4);
    out[at..at + 4].copy_from_slice(&size);
}

fn count(count: usize) -> [u8; 4] {
    u32::try_from(count).expect("no message has 4 GiB").to_be_bytes()
}

/// Returns the values of a `DataRow`.
fn values(body: &[u8]) -> Result<Vec<Option<Vec<u8>>>> {
    let (columns, mut rest) = body.split_at_checked(2).context("a row that is cut")?;
    let mut values = Vec::new();
    for _ in 0..u16::from_be_bytes(columns.try_into()?) {
        let (size, behind) = rest.split_at_checked(4).context("a row that is cut")?;
        rest = behind;
        match usize::try_from(i32::from_be_bytes(size.try_into()?)) {
            Ok(size) => {
                let (value, behind) = rest.split_at_checked(size).context("a row that is cut")?;
                values.push(Some(value.to_vec()));
                rest = behind;
            }
            Err(_) => values.push(None),
        }
    }
    Ok(values)
}

/// Parses a command tag such as `INSERT 0 5000` or `SELECT 12`: the last number.
fn touched(tag: &[u8]) -> u64 {
    let tag = std::str::from_utf8(tag).unwrap_or_default();
    tag.trim_end_matches('\0').rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}
