//! `skep user`: one person's account.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skep_protocol::{CellId, Millis, SessionId, Slot, UserId, canonical_email, canonical_username, wire};
use wire::{change_user_request::Change, show_user_request::By};

use super::{
    Saying,
    cluster::{Cluster, Where, within},
    text,
};
use crate::exit::{Exit, Failure};

/// A cell that hashes passwords for many at once may take its time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Letters of a new password: none that looks like another. Twenty of them are 97 bits.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const PASSWORD_LETTERS: usize = 20;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Show an account: sessions, sockets, conversations.
    Show(Person),
    /// Shut somebody out: sockets close, tokens end, log-ins fail as with a wrong password.
    Disable(Person),
    /// Let somebody log in again.
    Enable(Person),
    /// Log somebody out everywhere.
    EndSessions(Person),
    /// Give somebody another password, shown once, and log them out everywhere.
    ResetPassword(Reset),
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  skep user show anna
  skep user show anna@example.org --json
  skep user disable u_016ztk9r40fa1xqh8m3v7c2bny --data /srv/skep
  skep user end-sessions anna --directory http://10.0.0.5:7701
  skep user show anna --directory https://10.0.0.5:7701 --inner-ca ca.pem --inner-certificate tool.pem \
      --inner-key tool.key       (where parts have `inner_tls`)
  skep user reset-password anna
  pwgen 24 1 | skep user reset-password anna --stdin

Exit codes: 0 done, 1 there is no such person or it was refused, 64 usage, 69 a part cannot be reached";

#[derive(Debug, Args)]
pub(crate) struct Person {
    /// A username, a user id (u_...) or an e-mail address.
    who: String,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    saying: Saying,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    person: Person,
    /// Read the password from standard input, instead of making one.
    #[arg(long)]
    stdin: bool,
}

impl UserCommand {
    pub fn run(self) -> Result<(), Failure> {
        super::run(async {
            match self {
                Self::Show(person) => show(&person).await,
                Self::Disable(person) => change(&person, Change::Disable(wire::Done {}), "disabled").await,
                Self::Enable(person) => change(&person, Change::Enable(wire::Done {}), "enabled").await,
                Self::EndSessions(person) => {
                    change(&person, Change::EndSessions(wire::Done {}), "logged out everywhere").await
                }
                Self::ResetPassword(Reset { person, stdin: true }) => {
                    let password = read_password()?;
                    change(&person, Change::Password(password), "given the password from standard input").await
                }
                Self::ResetPassword(Reset { person, stdin: false }) => reset(&person).await,
            }
        })
    }
}

async fn show(person: &Person) -> Result<(), Failure> {
    let cluster = Cluster::open(&person.at).await?;
    let (cell, report) = find(&cluster, &person.who).await?;
    person.saying.answer(&document(cell, &report), || page(cell, &report));
    Ok(())
}

async fn change(person: &Person, change: Change, what: &str) -> Result<(), Failure> {
    let (report, changed) = carry_out(person, change).await?;
    let ended = changed.sessions_ended;
    let document = json!({ "user_id": id_of(&report), "username": report.username, "sessions_ended": ended });
    person.saying.answer(&document, || {
        format!("{} is {what}; {} ended.\n", report.username, text::counted(ended.into(), "session"))
    });
    Ok(())
}

async fn reset(person: &Person) -> Result<(), Failure> {
    let letter = |_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]);
    let password: String = (0..PASSWORD_LETTERS).map(letter).collect();
    let (report, changed) = carry_out(person, Change::Password(password.clone())).await?;
    let ended = changed.sessions_ended;
    let (name, user_id) = (&report.username, id_of(&report));
    let document = json!({ "user_id": user_id, "username": name, "sessions_ended": ended, "password": password });
    person.saying.answer(&document, || {
        let sessions = text::counted(ended.into(), "session");
        format!("The new password of {name}, shown only now: {password}\n{sessions} ended.\n")
    });
    Ok(())
}

async fn carry_out(person: &Person, change: Change) -> Result<(wire::UserReport, wire::UserChanged), Failure> {
    let cluster = Cluster::open(&person.at).await?;
    let (cell, report) = find(&cluster, &person.who).await?;
    let request = wire::ChangeUserRequest { user_id: report.user_id.clone(), change: Some(change) };
    let mut operator = cluster.operator(cell).map_err(|trouble| trouble.at_cell(cell))?;
    let changed = within(PATIENCE, operator.change_user(request)).await;
    Ok((report, changed.map_err(|trouble| trouble.at_cell(cell))?))
}

/// Somebody, by whatever names them, and their cell.
async fn find(cluster: &Cluster, who: &str) -> Result<(CellId, wire::UserReport), Failure> {
    let nobody = || Failure { exit: Exit::Refused, reason: format!("{who}: there is no such person") };
    let (slot, by) = if let Ok(id) = who.parse::<UserId>() {
        (id.slot(), By::UserId(bytes::Bytes::copy_from_slice(&id.to_bytes())))
    } else if who.contains('@') {
        let id = holder(cluster, who).await?.ok_or_else(nobody)?;
        (id.slot(), By::UserId(bytes::Bytes::copy_from_slice(&id.to_bytes())))
    } else {
        let username = canonical_username(who).map_err(|issue| Failure::usage(format!("{who}: {}", issue.detail)))?;
        (Slot::of_username(&username), By::Username(username))
    };
    let cell = cluster.owner(slot)?;
    let mut operator = cluster.operator(cell).map_err(|trouble| trouble.at_cell(cell))?;
    let shown = within(PATIENCE, operator.show_user(wire::ShowUserRequest { by: Some(by) })).await;
    match shown.map_err(|trouble| trouble.at_cell(cell)) {
        Ok(report) => Ok((cell, report)),
        Err(Failure { exit: Exit::Refused, .. }) => Err(nobody()),
        Err(failure) => Err(failure),
    }
}

/// Who has an e-mail address.
async fn holder(cluster: &Cluster, address: &str) -> Result<Option<UserId>, Failure> {
    let email = canonical_email(address).map_err(|issue| Failure::usage(format!("{address}: {}", issue.detail)))?;
    let cell = cluster.owner(Slot::of_email(&email))?;
    let mut peer = cluster.peer(cell).map_err(|trouble| trouble.at_cell(cell))?;
    let found = within(PATIENCE, peer.resolve_email(wire::ResolveEmailRequest { email })).await;
    Ok(UserId::from_bytes(&found.map_err(|trouble| trouble.at_cell(cell))?.user_id).ok())
}

fn read_password() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Failure::usage(format!("--stdin: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    skep_cell::check_new_password(password)
        .map_err(|refusal| Failure::usage(format!("--stdin: {}", refusal.detail)))?;
    Ok(password.to_owned())
}

fn document(cell: CellId, report: &wire::UserReport) -> Value {
    let session = |session: &wire::SessionReport| {
        json!({
            "session_id": SessionId::from_bytes(&session.session_id).map(|id| id.to_string()).unwrap_or_default(),
            "device": session.device,
            "created_at": Millis(session.created_at_ms),
            "last_used_at": Millis(session.last_used_at_ms),
            "expires_at": Millis(session.expires_at_ms),
        })
    };
    json!({
        "user_id": id_of(report),
        "username": report.username,
        "display_name": report.display_name,
        "email": report.email,
        "cell_id": cell.0,
        "created_at": Millis(report.created_at_ms),
        "disabled": report.disabled,
        "sessions": report.sessions.iter().map(session).collect::<Vec<_>>(),
        "sockets": report.sockets,
        "last_seen": report.last_seen_ms.map(Millis),
        "conversations": report.conversations,
        "blocks": report.blocks,
    })
}

fn page(cell: CellId, report: &wire::UserReport) -> String {
    let mut page = format!("{} ({})\n", report.username, report.display_name);
    let mut line = |name: &str, value: String| _ = writeln!(page, "  {name:<14} {value}");
    line("user id", id_of(report));
    line("e-mail", report.email.clone());
    line("cell", cell.to_string());
    line("signed up", text::time(report.created_at_ms));
    line("account", if report.disabled { "disabled" } else { "active" }.to_owned());
    line(
        "sockets",
        match (report.sockets, report.last_seen_ms) {
            (0, Some(at)) => format!("none; last seen {}", text::time(at)),
            (0, None) => "none".to_owned(),
            (sockets, _) => text::count(sockets.into()),
        },
    );
    line("conversations", text::count(report.conversations));
    line("blocks", text::count(report.blocks));
    line("sessions", text::count(report.sessions.len() as u64));
    for session in &report.sessions {
        let device = session.device.as_deref().unwrap_or("a device without a name");
        _ = writeln!(page, "    {device}, last used {}", text::time(session.last_used_at_ms));
    }
    page
}

fn id_of(report: &wire::UserReport) -> String {
    UserId::from_bytes(&report.user_id).map(|id| id.to_string()).unwrap_or_default()
}
