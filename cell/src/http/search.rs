//! Finding people: the exact username, then whom the asker knows, then others.

use std::sync::Arc;
use std::time::Duration;

use axum::{Json, extract::State};
use skep_protocol::{FieldCode, Profile, Refusal, Slot, UserId, answers::FoundPeople, canonical_username};
use uuid::Uuid;

use super::{
    answer::Answer,
    caller::Caller,
    page::{Asked, cursor, stale},
    people,
};
use crate::{
    context::{Context, failed, unavailable},
    search::{self, At, Found, Query, Strangers},
    shell::now,
};

/// A cell that says nothing for so long hides those whom only it can name, and nobody else.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pages of strangers asked for at most, to make up for those of them whom the asker knows.
const PAGES: usize = 3;

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    /// With the exact username.
    Exact,
    Known(At),
    Strangers(Strangers),
}

/// A search by somebody.
struct Search<'a> {
    context: &'a Context,
    asker: UserId,
    text: &'a str,
    query: Query,
    /// The username that this would be.
    username: Option<String>,
    limit: usize,
}

pub(super) async fn search(
    State(context): State<Arc<Context>>,
    caller: Caller,
    asked: Asked,
) -> Answer<Json<FoundPeople>> {
    let text = asked.query.as_deref().unwrap_or_default();
    let query = query(text)?;
    let (limit, call) = (asked.limit()?, format!("users {text}"));
    let stage = match asked.cursor(&call, caller.user, now())? {
        Some(position) => Stage::read(&position).ok_or_else(stale)?,
        None => Stage::Exact,
    };
    let username = canonical_username(&search::fold(text)).ok();
    let search = Search { context: &context, asker: caller.user, text, query, username, limit };
    let (users, next) = search.page(stage).await?;
    let next_cursor = next.map(|next| cursor(&call, caller.user, now(), &next.to_text()));
    Ok(Json(FoundPeople { users, next_cursor }))
}

fn query(text: &str) -> Result<Query, Refusal> {
    let code = match text.chars().count() {
        0 => FieldCode::Required,
        65.. => FieldCode::TooLong,
        _ => match Query::new(text) {
            Some(query) if !text.contains('\0') => return Ok(query),
            _ => FieldCode::Format,
        },
    };
    let detail = "query is what to look for: 1 to 64 characters, not only spaces";
    Err(Refusal::field(skep_protocol::Code::Invalid, "query", code, detail))
}

// === impl Search ===

impl Search<'_> {
    /// A page, and where the next one begins. What a cell does not answer is left out, unless nothing else is found.
    async fn page(&self, from: Stage) -> Result<(Vec<Profile>, Option<Stage>), Refusal> {
        let (mut users, mut missing) = (Vec::new(), None);
        // Who came first does not come again; who could not be asked for may come as a copy.
        let mut came = self.username.as_deref();
        let mut stage = from;
        if let Stage::Exact | Stage::Known(_) = &stage {
            let after = if let Stage::Known(at) = &stage { at.clone() } else { At::start() };
            let exact = async { if stage == Stage::Exact { self.exact().await } else { Ok(None) } };
            let known = search::known(&self.context.shard, self.asker, &self.query, &after, self.limit + 1);
            let (exact, known) = tokio::join!(exact, known);
            match exact {
                Ok(exact) => users.extend(exact.filter(|profile| profile.user_id != self.asker)),
                Err(refusal) => (missing, came) = (Some(refusal), None),
            }
            let (room, known) = (self.limit - users.len(), known.map_err(failed)?);
            let next = known
                .get(room)
                .and_then(|_| known.get(..room))
                .map(|page| page.last().map_or(after, |(_, at)| at.clone()));
            let others = known.into_iter().take(room).map(|(found, _)| found);
            users.extend(others.filter(|found| came != Some(&found.username)).map(Found::into_profile));
            match next {
                Some(at) => return Ok((users, Some(Stage::Known(at)))),
                None => stage = Stage::Strangers(Strangers::start()),
            }
        }
        let mut next = if let Stage::Strangers(at) = stage { Some(at) } else { None };
        for _ in 0..PAGES {
            let Some(at) = next.take_if(|_| users.len() < self.limit) else { break };
            match self.strangers(&at, self.limit - users.len(), came).await {
                Ok((found, behind)) => {
                    users.extend(found);
                    next = behind;
                }
                Err(refusal) => {
                    // Asked for by the next page, which says so when they are still away.
                    (missing, next) = (Some(refusal), Some(at));
                    break;
                }
            }
        }
        match missing {
            Some(refusal) if users.is_empty() => Err(refusal),
            _ => Ok((users, next.map(Stage::Strangers))),
        }
    }

    async fn exact(&self) -> Result<Option<Profile>, Refusal> {
        let Some(username) = &self.username else { return Ok(None) };
        match self.context.elsewhere(Slot::of_username(username))? {
            None => {
                let account = self.context.accounts.find_username(username).await.map_err(failed)?;
                Ok(account.filter(|account| !account.is_disabled).map(|account| account.profile))
            }
            Some(cell) => {
                let found = within(self.context.peers.find_username(cell.cell_id, username)).await?.pop();
                Ok(found.filter(|state| !state.disabled).and_then(people::of_wire).map(|user| user.profile))
            }
        }
    }

    /// Without those who have come before.
    async fn strangers(
        &self,
        at: &Strangers,
        limit: usize,
        came: Option<&str>,
    ) -> Result<(Vec<Profile>, Option<Strangers>), Refusal> {
        let shard = &self.context.shard;
        let (found, next) = match self.context.elsewhere(self.query.slot())? {
            None => search::strangers(shard, &self.query, at, limit).await.map_err(failed)?,
            Some(cell) => within(self.context.peers.search(cell.cell_id, self.text, at, limit)).await?,
        };
        let known = search::known_among(shard, self.asker, &self.query, &found).await.map_err(failed)?;
        let others = found.into_iter().filter(|found| {
            found.user_id != self.asker && came != Some(&found.username) && !known.contains(&found.user_id)
        });
        Ok((others.map(Found::into_profile).collect(), next))
    }
}

async fn within<T>(call: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let slow = |_| unavailable("another cell does not answer at the moment; trying again is safe");
    tokio::time::timeout(PATIENCE, call).await.map_err(slow)?
}

// === impl Stage ===

impl Stage {
    fn to_text(&self) -> String {
        let (letter, At { text, user }) = match self {
            Self::Exact => ("e", &At::start()),
            Self::Known(at) => ("k", at),
            Self::Strangers(Strangers::InOrder(at)) => ("o", at),
            Self::Strangers(Strangers::InAnyOrder(at)) => ("a", at),
        };
        // Letters of any script, in a form that addresses take.
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{letter}.{hex}.{}", user.simple())
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (letter, hex, user) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok());
        let text = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
        let at = At { text, user: Uuid::try_parse(user).ok()? };
        match letter {
            "k" => Some(Self::Known(at)),
            "o" => Some(Self::Strangers(Strangers::InOrder(at))),
            "a" => Some(Self::Strangers(Strangers::InAnyOrder(at))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        let at = || At { text: "李 明 \n.".to_owned(), user: Uuid::max() };
        for stage in [
            Stage::Known(at()),
            Stage::Strangers(Strangers::InOrder(at())),
            Stage::Strangers(Strangers::InAnyOrder(at())),
        ] {
            assert_eq!(Stage::read(&stage.to_text()), Some(stage));
        }
        assert_eq!(Stage::read("k.0.0"), None);
        assert_eq!(Stage::read("nonsense"), None);
    }

    #[test]
    fn a_query_has_something_to_look_for() {
        assert!(query("李").is_ok() && query(&"a".repeat(64)).is_ok());
        for bad in ["", "  ", "a\0b"] {
            assert!(query(bad).is_err(), "{bad:?}");
        }
        assert!(query(&"a".repeat(65)).is_err());
    }
}
