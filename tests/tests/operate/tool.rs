//! The program, called as an operator calls it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;
use skep_tests::Hive;

use crate::SKEP;

/// What came of a call.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// One call. Waits for its end.
pub fn skep(arguments: &[&str], input: &str) -> Said {
    let mut child = Command::new(SKEP)
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who has read enough closes it.
    _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A call about a deployment.
pub fn about(hive: &Hive, arguments: &[&str], input: &str) -> Said {
    let data = hive.data.to_str().unwrap();
    skep(&[arguments, &["--data", data]].concat(), input)
}

impl Said {
    /// The document that it printed, having ended like this.
    #[track_caller]
    pub fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, code, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
