//! People who exist at a deployment, kept in a file: signing up is dear (a slow password hash on purpose), a token
//! lasts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use skep_client::{Account, CallError, Http, SignUp};
use skep_protocol::{CellId, Code, UserId};
use tokio_util::sync::CancellationToken;

use crate::progress::Stage;

/// One person, with all it takes to be them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    pub username: String,
    pub password: String,
    pub user_id: UserId,
    pub token: String,
    pub cell_id: CellId,
    pub socket_url: String,
}

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// For people who open the file; the name of the file is what it is found by.
    router: String,
    people: Vec<Person>,
}

/// Where accounts are kept, and how they are made.
#[derive(Clone, Debug)]
pub struct Accounts {
    path: PathBuf,
}

impl Person {
    /// What a client needs.
    pub fn account(&self) -> Account {
        Account { user_id: self.user_id, token: self.token.clone(), socket_url: self.socket_url.clone() }
    }
}

impl Accounts {
    /// Of one deployment: told apart by the router's URL and the deployment's file.
    pub fn new(folder: &Path, router: &str, deployment: &Path) -> Self {
        let deployment = std::fs::canonicalize(deployment).unwrap_or_else(|_| deployment.to_owned());
        let key = xxhash_rust::xxh3::xxh3_64(format!("{router}\n{}", deployment.display()).as_bytes());
        Self { path: folder.join(format!("accounts-{key:016x}.json")) }
    }

    /// Those of this file: an earlier run's, or of `skep import --tokens`.
    pub fn of_file(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// So many people who can log in now: kept ones first, then new ones. Stopped early, it gives those it has.
    pub async fn people(
        &self,
        http: &Arc<Http>,
        count: usize,
        at_once: usize,
        stop: &CancellationToken,
    ) -> anyhow::Result<Vec<Person>> {
        let mut kept = self.load(http.base())?;
        let known = kept.people.len();
        let stage = Stage::new("accounts", count as u64);
        let former: Vec<Option<Person>> = (0..count).map(|i| kept.people.get(i).cloned()).collect();
        let mut tasks = tokio::task::JoinSet::new();
        let mut people: Vec<Option<Person>> = vec![None; count];
        let mut former = former.into_iter().enumerate();
        let mut unsaved = 0;
        loop {
            while tasks.len() < at_once && !stop.is_cancelled() {
                let Some((i, person)) = former.next() else { break };
                let http = Arc::clone(http);
                tasks.spawn(async move {
                    let person_now = ready(&http, person.clone()).await;
                    let is_news = person_now.as_ref().is_ok_and(|now| Some(now) != person.as_ref());
                    (i, person_now, is_news)
                });
            }
            let Some(done) = tasks.join_next().await else { break };
            let (i, person, is_news) = done.context("an account's task broke down")?;
            people[i] = Some(person.context("cannot make an account")?);
            stage.step();
            unsaved += usize::from(is_news);
            // An interrupted run should not have to pay again for all it made.
            if unsaved >= 200 {
                self.save(&mut kept, &people)?;
                unsaved = 0;
            }
        }
        self.save(&mut kept, &people)?;
        stage.done(&format!("{} kept, {} new", known.min(count), count.saturating_sub(known)));
        anyhow::ensure!(!stop.is_cancelled(), "stopped before all accounts were there; those that were made are kept");
        Ok(people.into_iter().flatten().collect())
    }

    fn load(&self, router: &str) -> anyhow::Result<Kept> {
        match std::fs::read(&self.path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged; delete it", self.path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Kept { router: router.to_owned(), people: Vec::new() })
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.path.display())),
        }
    }

    /// Written aside and renamed: a crash leaves the former file.
    fn save(&self, kept: &mut Kept, people: &[Option<Person>]) -> anyhow::Result<()> {
        for (i, person) in people.iter().enumerate() {
            match (person, kept.people.get_mut(i)) {
                (Some(person), Some(former)) => *former = person.clone(),
                (Some(person), None) => kept.people.push(person.clone()),
                (None, _) => {}
            }
        }
        let aside = self.path.with_extension("new");
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
            write_private(&aside, &serde_json::to_vec(&kept)?)?;
            std::fs::rename(&aside, &self.path)
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Tokens and passwords are nobody else's.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// Somebody who can log in now: by the kept token, by the kept password, or anew.
async fn ready(http: &Http, former: Option<Person>) -> Result<Person, CallError> {
    let Some(mut person) = former else { return sign_up(http).await };
    match http.route(&person.token).await {
        Ok(route) => {
            (person.cell_id, person.socket_url) = (route.cell_id, route.socket_url);
            return Ok(person);
        }
        Err(error) if error.code() == Some(Code::Unauthenticated) => {}
        Err(error) => return Err(error),
    }
    match http.log_in(&person.username, &person.password, Some("load")).await {
        Ok(signed_in) => {
            person.token = signed_in.token;
            (person.cell_id, person.socket_url) = (signed_in.route.cell_id, signed_in.route.socket_url);
            Ok(person)
        }
        // The deployment was emptied since.
        Err(error) if error.code() == Some(Code::Unauthenticated) => sign_up(http).await,
        Err(error) => Err(error),
    }
}

async fn sign_up(http: &Http) -> Result<Person, CallError> {
    let bits: u64 = rand::rng().random();
    let username = format!("load.{bits:016x}");
    let password = format!("{:032x}", rand::rng().random::<u128>());
    let new = SignUp {
        display_name: format!("Load {:04x}", bits & 0xffff),
        email: format!("{username}@load.example"),
        username: username.clone(),
        password: password.clone(),
        device: Some("load".to_owned()),
    };
    let signed_in = http.sign_up(&new).await?;
    Ok(Person {
        username,
        password,
        user_id: signed_in.user.profile.user_id,
        token: signed_in.token,
        cell_id: signed_in.route.cell_id,
        socket_url: signed_in.route.socket_url,
    })
}
