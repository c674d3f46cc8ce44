//! Passwords: Argon2id, on threads of its own, so that log-ins never starve messages.

use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use parking_lot::Mutex;
use skep_protocol::{Code, FieldCode, FieldIssue, Refusal, check_password};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// A log-in that would wait longer than this is refused.
const PATIENCE: Duration = Duration::from_secs(4);
/// How far the hashing threads stand back behind those that carry messages: where both want a core, messages get three
/// quarters of it.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// Passwords that everybody tries first.
static COMMON: LazyLock<std::collections::HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common-passwords.txt").lines().collect());

/// What unknown names are checked against, so that they take as long as known ones.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| Argon2::default().hash_password(b"nobody").map(|h| h.to_string()).unwrap_or_default());

/// The hashing of passwords: a thread per core, and nothing in line but who has a thread.
pub struct Passwords {
    turns: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
}

/// The turn is given back when the work is done, also when nobody waits for it any more.
struct Job {
    work: Box<dyn FnOnce() + Send>,
    turn: OwnedSemaphorePermit,
}

impl Passwords {
    pub fn start() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name("passwords".to_owned());
            if let Err(error) = thread.spawn(move || work_off(&queue)) {
                tracing::error!(%error, "a thread for passwords could not be started");
            }
        }
        Self { turns: Arc::new(Semaphore::new(threads)), jobs }
    }

    /// Whether it may be chosen: long enough, and not one that everybody tries first.
    pub fn check_choice(password: &str) -> Result<(), FieldIssue> {
        check_password(password)?;
        if COMMON.contains(password.to_lowercase().as_str()) {
            let detail = "this password is among the most common ones: choose another";
            return Err(FieldIssue { code: FieldCode::Common, detail });
        }
        Ok(())
    }

    /// The hash to keep.
    pub async fn hash(&self, password: String) -> Result<String, Refusal> {
        let hashed = self.in_turn(move || hash_password(&password));
        hashed.await?.ok_or_else(|| Refusal::new(Code::Internal, "the password could not be hashed"))
    }

    /// Whether it is the one that was hashed. Nobody's takes as long.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Refusal> {
        self.in_turn(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.clone());
            let matches = PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
            matches && known
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await else {
            let detail = "too many people are logging in at the moment; try again soon";
            return Err(Refusal::new(Code::Busy, detail).after(2_000));
        };
        let (done, result) = oneshot::channel();
        let work = Box::new(move || _ = done.send(work()));
        let undone = || Refusal::new(Code::Internal, "the password could not be looked at");
        self.jobs.send(Job { work, turn }).map_err(|_| undone())?;
        result.await.map_err(|_| undone())
    }
}

/// A thread's life, until the cell's is over.
fn work_off(queue: &Mutex<mpsc::Receiver<Job>>) {
    // On Linux this is the thread's own; elsewhere it would be the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "passwords are hashed at the priority of messages");
    }
    LazyLock::force(&NOBODY);
    loop {
        let job = queue.lock().recv();
        let Ok(Job { work, turn }) = job else { return };
        // A fault in one is not the end of the thread.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
            tracing::error!("hashing a password broke off");
        }
        drop(turn);
    }
}

/// Whether somebody may take this password: its length, and that it is not one that everybody tries first.
pub fn check_new_password(password: &str) -> Result<(), Refusal> {
    Passwords::check_choice(password).map_err(|issue| Refusal::new(Code::Invalid, issue.detail))
}

/// The hash to keep of a password. Takes some 15 ms of a core and 19 MiB, on purpose.
pub fn hash_password(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// What a hash from elsewhere may cost at a log-in: memory in KiB (64 MiB), rounds, lanes.
const FOREIGN_COST: [u32; 3] = [64 * 1024, 10, 4];

/// Whether log-ins can check passwords against a hash from elsewhere, and at a bearable cost.
pub fn check_hash(hash: &str) -> Result<(), &'static str> {
    let parsed =
        PasswordHash::new(hash).map_err(|_| "a password hash looks like $argon2id$v=19$m=...,t=...,p=...$salt$hash")?;
    if !parsed.algorithm.as_str().starts_with("argon2") || parsed.salt.is_none() || parsed.hash.is_none() {
        return Err("only Argon2 hashes ($argon2id$...) with salt and hash can be checked");
    }
    let params =
        argon2::Params::try_from(&parsed).map_err(|_| "the parameters of this Argon2 hash are not possible")?;
    let cost = [params.m_cost(), params.t_cost(), params.p_cost()];
    if cost.iter().zip(FOREIGN_COST).any(|(cost, most)| *cost > most) {
        return Err("this hash is too dear to check: at most 64 MiB, 10 rounds, 4 lanes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_passwords_cannot_be_chosen() {
        assert!(COMMON.len() > 10_000);
        for (password, code) in [
            ("short", Some(FieldCode::TooShort)),
            ("password", Some(FieldCode::Common)),
            ("PassWord123", Some(FieldCode::Common)),
            ("qwertyuiop", Some(FieldCode::Common)),
            ("a bee in the hive", None),
        ] {
            assert_eq!(Passwords::check_choice(password).err().map(|issue| issue.code), code, "{password}");
        }
    }

    #[tokio::test]
    async fn only_the_right_password_of_somebody_matches() {
        let passwords = Passwords::start();
        let hash = passwords.hash("a bee in the hive".to_owned()).await.unwrap();
        for (password, hash, matches) in [
            ("a bee in the hive", Some(hash.clone()), true),
            ("a bee in the Hive", Some(hash), false),
            ("a bee in the hive", Some("no hash".to_owned()), false),
            ("nobody", None, false),
        ] {
            assert_eq!(passwords.verify(password.to_owned(), hash).await, Ok(matches), "{password}");
        }
    }

    #[tokio::test]
    async fn who_gives_up_waiting_keeps_their_turn_until_the_work_is_done() {
        let passwords = Passwords::start();
        let threads = passwords.turns.available_permits();
        let (go, gone) = mpsc::channel::<()>();
        let gone = Arc::new(Mutex::new(gone));
        for _ in 0..threads {
            let gone = Arc::clone(&gone);
            let work = passwords.in_turn(move || _ = gone.lock().recv());
            assert!(tokio::time::timeout(Duration::ZERO, work).await.is_err(), "given up");
        }
        assert_eq!(passwords.turns.available_permits(), 0, "the threads are busy, whoever waits");
        drop(go);
        assert_eq!(passwords.verify("x".to_owned(), None).await, Ok(false));
    }

    #[test]
    fn hashes_from_elsewhere_are_checked() {
        assert_eq!(check_hash(&hash_password("a bee in the hive").unwrap()), Ok(()));
        let argon = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG";
        assert_eq!(check_hash(argon), Ok(()));
        for bad in [
            "",
            "a bee in the hive",
            "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
            "$argon2id$v=19$m=65536,t=3,p=4",
            "$argon2id$v=19$m=1048576,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
            "$argon2id$v=19$m=65536,t=1000,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        ] {
            assert!(check_hash(bad).is_err(), "{bad}");
        }
    }
}
