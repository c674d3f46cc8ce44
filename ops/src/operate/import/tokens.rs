//! The file of new people's tokens, for load runs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use skep_protocol::{CellId, UserId};

use crate::exit::Failure;

/// One person, with all it takes to be them: as `skep-sim` keeps its people.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Person<'a> {
    pub username: &'a str,
    pub password: &'a str,
    pub user_id: UserId,
    pub token: &'a str,
    pub cell_id: CellId,
    pub socket_url: &'a str,
}

pub(super) struct Tokens {
    path: PathBuf,
    file: BufWriter<File>,
    written: u64,
}

impl Tokens {
    /// A new file that only its owner reads. One that is there is somebody's tokens: it stays.
    pub fn create(path: &Path, router: Option<&str>) -> Result<Self, Failure> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| Failure::usage(format!("--tokens {}: {error}", path.display())))?;
        let mut this = Self { path: path.to_owned(), file: BufWriter::new(file), written: 0 };
        let router = serde_json::Value::from(router.unwrap_or_default());
        this.write(format!("{{\"router\":{router},\"people\":[\n").as_bytes())?;
        Ok(this)
    }

    pub fn add(&mut self, person: &Person<'_>) -> Result<(), Failure> {
        if self.written > 0 {
            self.write(b",\n")?;
        }
        self.written += 1;
        let text = serde_json::to_vec(person).map_err(|error| Failure::unavailable(error.to_string()))?;
        self.write(&text)
    }

    /// The file is whole from here on.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.write(b"\n]}\n")?;
        self.file.flush().map_err(|error| self.cannot(&error))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| self.cannot(&error))
    }

    fn cannot(&self, error: &std::io::Error) -> Failure {
        Failure::unavailable(format!("--tokens {}: {error}", self.path.display()))
    }
}
