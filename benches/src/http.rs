//! An HTTP/1.1 client that costs little: one connection kept alive, requests written by hand,
//! answers read by their `content-length`.

use std::{fmt::Write, net::SocketAddr};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::Result;

/// One connection.
#[derive(Debug)]
pub struct Http {
    stream: TcpStream,
    head: String,
    request: String,
    answer: Vec<u8>,
}

impl Http {
    /// Connects; every request carries the token, if there is one.
    pub async fn open(address: SocketAddr, token: Option<&str>) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let bearer = token.map(|t| format!("authorization: Bearer {t}\r\n")).unwrap_or_default();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             {bearer}content-length: "
        );
        Ok(Self { stream, head, request: String::new(), answer: Vec::with_capacity(4096) })
    }

    /// Posts a body; answers with the answer's.
    pub async fn post(&mut self, body: &str) -> Result<&str> {
        self.request.clear();
        write!(self.request, "{}{}\r\n\r\n{body}", self.head, body.len())?;
        self.stream.write_all(self.request.as_bytes()).await?;
        self.answer.clear();
        let mut body = None;
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if body.is_none() {
                body = head(&self.answer)?;
            }
            if let Some((from, length)) = body
                && self.answer.len() >= from + length
            {
                return Ok(std::str::from_utf8(&self.answer[from..from + length])?);
            }
        }
    }

    /// Runs a document with variables; its `data`, with neither errors nor refusals.
    pub async fn ask(&mut self, query: &str, variables: Value) -> Result<Value> {
        let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
        let answer = self.post(&body).await?;
        let mut parsed: Value = serde_json::from_str(answer)?;
        if parsed.get("errors").is_some() || answer.contains("\"userErrors\":[{") {
            return Err(format!("the server answered {answer}").into());
        }
        Ok(parsed["data"].take())
    }
}

/// Where the body begins and how long it is, once the head is there.
fn head(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match length {
        Some(length) if status.starts_with("HTTP/1.1 200") => Ok(Some((end + 4, length))),
        _ => Err(format!("the server answered {head}").into()),
    }
}

/// What stands between `mark` and the next quote.
pub fn text_after<'a>(answer: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = answer.split_once(mark)?;
    Some(rest.split_once('"')?.0)
}
