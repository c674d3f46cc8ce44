//! The file's lines.

use std::io::{BufRead, Read};

use serde::Deserialize;
use skep_protocol::Millis;
use tokio::sync::mpsc;

use crate::exit::Failure;

/// Some ten thousand members. Longer ones are split by whoever writes the file.
const LINE_BYTES: usize = 1024 * 1024;

/// Lines that are read ahead.
const AHEAD: usize = 1_000;

/// What a line says.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Line {
    Header {
        password: Option<String>,
        password_hash: Option<String>,
    },
    Account {
        username: String,
        display_name: String,
        email: String,
        password_hash: Option<String>,
        created_at: Option<Millis>,
    },
    Channel {
        key: String,
        creator: String,
        title: String,
        topic: Option<String>,
        #[serde(default)]
        members: Vec<String>,
    },
    Group {
        key: String,
        creator: String,
        title: Option<String>,
        #[serde(default)]
        members: Vec<String>,
    },
    Direct {
        users: [String; 2],
    },
    Members {
        channel: Option<String>,
        group: Option<String>,
        users: Vec<String>,
        #[serde(default)]
        role: Role,
    },
}

/// What new members are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    #[default]
    Member,
    Admin,
}

/// A line as read, or what is wrong with it.
pub(super) struct ReadLine {
    pub number: u64,
    /// Of the file, up to the end of this line.
    pub bytes: u64,
    pub line: Result<Line, String>,
}

/// The lines of a file, read by a thread of their own.
pub(super) struct Lines(mpsc::Receiver<std::io::Result<ReadLine>>);

impl Lines {
    pub fn start(input: impl BufRead + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        // It ends with the file, or when nobody wants more lines.
        std::thread::spawn(move || read(input, &sender));
        Self(receiver)
    }

    /// The next one, but for empty ones.
    pub async fn next(&mut self) -> Result<Option<ReadLine>, Failure> {
        let line = self.0.recv().await.transpose();
        line.map_err(|error| Failure::usage(format!("the file cannot be read further: {error}")))
    }
}

fn read(mut input: impl BufRead, lines: &mpsc::Sender<std::io::Result<ReadLine>>) {
    let (mut text, mut bytes) = (Vec::new(), 0);
    for number in 1.. {
        text.clear();
        let read = match input.by_ref().take(LINE_BYTES as u64 + 1).read_until(b'\n', &mut text) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) => {
                _ = lines.blocking_send(Err(error));
                return;
            }
        };
        bytes += read as u64;
        let line = if text.len() > LINE_BYTES {
            match skip_line(&mut input, &text) {
                Ok(skipped) => bytes += skipped,
                Err(error) => {
                    _ = lines.blocking_send(Err(error));
                    return;
                }
            }
            Err(format!("it is longer than {LINE_BYTES} bytes: name the members in several lines"))
        } else if text.trim_ascii().is_empty() {
            continue;
        } else {
            parse(&text)
        };
        if lines.blocking_send(Ok(ReadLine { number, bytes, line })).is_err() {
            return;
        }
    }
}

/// Reads on to the end of a line of which this was read.
fn skip_line(input: &mut impl BufRead, read: &[u8]) -> std::io::Result<u64> {
    if read.ends_with(b"\n") {
        return Ok(0);
    }
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        let (length, is_end) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(length);
        skipped += length as u64;
        if is_end {
            return Ok(skipped);
        }
    }
}

fn parse(text: &[u8]) -> Result<Line, String> {
    serde_json::from_slice(text).map_err(|error| {
        // The number that counts is the file's.
        let reason = error.to_string();
        reason.split(" at line ").next().unwrap_or(&reason).to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_say_what_is_wrong_with_them() {
        for (text, reason) in [
            ("{", "EOF while parsing an object"),
            (r#"{"type":"bee"}"#, "unknown variant `bee`"),
            (r#"{"type":"account","username":"anna","email":"a@b"}"#, "missing field `display_name`"),
            (r#"{"type":"direct","users":["anna"]}"#, "invalid length 1"),
            (r#"{"type":"members","channel":"a","users":[],"colour":1}"#, "unknown field `colour`"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("line 1"), "{error}");
        }
    }

    #[tokio::test]
    async fn lines_keep_their_numbers_past_empty_and_endless_ones() {
        let endless = "x".repeat(3 * LINE_BYTES);
        let direct = r#"{"type":"direct","users":["anna","ben"]}"#;
        let text = format!("\n{direct}\n{endless}\n  \n{direct}");
        let length = text.len() as u64;
        let mut lines = Lines::start(std::io::Cursor::new(text.into_bytes()));
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            seen.push((line.number, line.line.is_ok(), line.bytes));
        }
        assert_eq!(
            seen.iter().map(|(number, ok, _)| (*number, *ok)).collect::<Vec<_>>(),
            [(2, true), (3, false), (5, true)]
        );
        assert_eq!(seen[2].2, length);
    }
}
