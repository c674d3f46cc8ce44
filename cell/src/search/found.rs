//! Queries, answered from this cell's copies. Each reads an index in its order and ends early.

use skep_protocol::{Profile, UserId};
use uuid::Uuid;

use super::{copies::user, words::Query};
use crate::{
    images::ImageName,
    storage::{Shard, StorageError},
};

/// Entries that a query of several words looks through for a page. Words in the order of the name need no looking
/// through; 10,000 take about three milliseconds.
const LOOKED_THROUGH: i64 = 10_000;

/// Somebody found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub user_id: UserId,
    pub username: String,
    pub display_name: String,
    pub image: Option<String>,
}

/// Where a page ended: behind this text of this person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct At {
    pub text: String,
    pub user: Uuid,
}

/// Where a page of strangers ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Strangers {
    /// Among those who have the words one after the other ...
    InOrder(At),
    /// ... or among the others who have them.
    InAnyOrder(At),
}

// === impl Found ===

impl Found {
    /// The one place where an entry of a result comes from.
    pub fn into_profile(self) -> Profile {
        let Self { user_id, username, display_name, image } = self;
        let image = image.and_then(|name| name.parse::<ImageName>().ok());
        Profile { user_id, username, display_name, image_url: image.map(|name| name.url(user_id)) }
    }

    fn of_row(row: &tokio_postgres::Row) -> Result<(Self, At), StorageError> {
        let id = row.try_get(1)?;
        let found = Self {
            user_id: user(id)?,
            username: row.try_get(2)?,
            display_name: row.try_get(3)?,
            image: row.try_get(4)?,
        };
        Ok((found, At { text: row.try_get(0)?, user: id }))
    }
}

// === impl Strangers ===

impl Strangers {
    /// Before everybody.
    pub fn start() -> Self {
        Self::InOrder(At::start())
    }
}

// === impl At ===

impl At {
    /// Before everybody.
    pub fn start() -> Self {
        Self { text: String::new(), user: Uuid::nil() }
    }

    /// Where entries that begin like this begin, when that is further on. Two bounds in a statement would not do: the
    /// index may be read from the lower one on (a hundred milliseconds among a million people).
    fn or_begin(&self, begin: &str) -> Self {
        if self.text.as_str() < begin { Self { text: begin.to_owned(), user: Uuid::nil() } } else { self.clone() }
    }
}

/// People whom somebody of this cell knows, by any part of their names, in the order of usernames. With where each
/// stands.
pub async fn known(
    shard: &Shard,
    asker: UserId,
    query: &Query,
    after: &At,
    limit: usize,
) -> Result<Vec<(Found, At)>, StorageError> {
    const SQL: &str = "
        SELECT k.names, k.other_id, p.username, p.display_name, p.image
        FROM (SELECT names, other_id FROM known
              WHERE user_id = $1 AND names <> '' AND (names, other_id) > ($2, $3) AND names LIKE ALL ($4)
              ORDER BY names, other_id LIMIT $5) k
        JOIN profiles p ON p.user_id = k.other_id ORDER BY k.names, k.other_id";
    let client = shard.connection().await?;
    let statement = client.prepare_cached(SQL).await?;
    let (asker, patterns) = (asker.uuid(), query.anywhere());
    let rows = client.query(&statement, &[&asker, &after.text, &after.user, &patterns, &(limit as i64)]).await?;
    rows.iter().map(Found::of_row).collect()
}

/// Those of these people whom [`known`] finds.
pub async fn known_among(
    shard: &Shard,
    asker: UserId,
    query: &Query,
    people: &[Found],
) -> Result<Vec<UserId>, StorageError> {
    const SQL: &str = "SELECT k.other_id FROM known k JOIN profiles p ON p.user_id = k.other_id
        WHERE k.other_id = ANY ($1) AND k.user_id = $2 AND k.names <> '' AND k.names LIKE ALL ($3)";
    let ids: Vec<Uuid> = people.iter().map(|found| found.user_id.uuid()).collect();
    let client = shard.connection().await?;
    let statement = client.prepare_cached(SQL).await?;
    let rows = client.query(&statement, &[&ids, &asker.uuid(), &query.anywhere()]).await?;
    rows.iter().map(|row| user(row.try_get(0)?)).collect()
}

/// People of any cell by how words of their names begin, in the order of those words, at the cell that has the query's
/// slot. Where the next page begins, if there may be more.
pub async fn strangers(
    shard: &Shard,
    query: &Query,
    after: &Strangers,
    limit: usize,
) -> Result<(Vec<Found>, Option<Strangers>), StorageError> {
    let (in_order, in_any_order) = (query.in_order(), query.in_any_order());
    let mut found = Vec::new();
    let from = match after {
        Strangers::InOrder(at) => {
            let mut page = scan(shard, &Scan::in_order(&in_order), at, limit + 1).await?;
            let more = page.len() > limit;
            page.truncate(limit);
            let last = page.last().map(|(_, at)| at.clone());
            found.extend(page.into_iter().map(|(found, _)| found));
            match last {
                Some(last) if more => return Ok((found, Some(Strangers::InOrder(last)))),
                _ => At::start(),
            }
        }
        Strangers::InAnyOrder(at) => at.clone(),
    };
    let Some((begin, patterns)) = in_any_order else { return Ok((found, None)) };
    let wanted = limit - found.len();
    let mut page = scan(shard, &Scan { begin: &begin, patterns: &patterns, but: &in_order }, &from, wanted + 1).await?;
    let more = page.len() > wanted;
    page.truncate(wanted);
    let next = match page.last() {
        Some((_, last)) if more => Some(last.clone()),
        _ if more => Some(from),
        _ => looked_through(shard, &begin, &from).await?,
    };
    found.extend(page.into_iter().map(|(found, _)| found));
    Ok((found, next.map(Strangers::InAnyOrder)))
}

/// Which entries are looked for.
struct Scan<'a> {
    begin: &'a str,
    patterns: &'a [String],
    /// People with an entry that begins like this were found before; empty: nobody was.
    but: &'a str,
}

impl<'a> Scan<'a> {
    fn in_order(begin: &'a str) -> Self {
        Self { begin, patterns: &[], but: "" }
    }
}

/// One entry a person: the first that is looked for. `OFFSET 0` keeps what is asked of each person apart, and `|| ''`
/// has their few entries found by the person: looks into an index, whatever the planner thinks of numbers.
async fn scan(shard: &Shard, scan: &Scan<'_>, after: &At, limit: usize) -> Result<Vec<(Found, At)>, StorageError> {
    const SQL: &str = "
        SELECT e.word, e.user_id, p.username, p.display_name, p.image
        FROM (SELECT c.word, c.user_id
              FROM (SELECT word, user_id FROM search_entries
                    WHERE (word, user_id) > ($3, $4) AND word < $2
                    ORDER BY word, user_id LIMIT $5) c
              WHERE c.word LIKE ALL ($6)
                  AND NOT EXISTS (SELECT 1 FROM search_entries s WHERE s.user_id = c.user_id
                                  AND s.word || '' >= $1 AND s.word || '' < c.word AND s.word LIKE ALL ($6) OFFSET 0)
                  AND NOT EXISTS (SELECT 1 FROM search_entries s WHERE s.user_id = c.user_id
                                  AND s.word || '' >= $7 AND s.word || '' < $8 OFFSET 0)
              ORDER BY c.word, c.user_id LIMIT $9) e
        CROSS JOIN LATERAL (SELECT * FROM profiles p WHERE p.user_id = e.user_id OFFSET 0) p
        ORDER BY e.word, e.user_id";
    let client = shard.connection().await?;
    let statement = client.prepare_cached(SQL).await?;
    let from = after.or_begin(scan.begin);
    let (end, but_end) = (end_of(scan.begin), if scan.but.is_empty() { String::new() } else { end_of(scan.but) });
    let rows = client
        .query(
            &statement,
            &[
                &scan.begin,
                &end,
                &from.text,
                &from.user,
                &LOOKED_THROUGH,
                &scan.patterns,
                &scan.but,
                &but_end,
                &(limit as i64),
            ],
        )
        .await?;
    rows.iter().map(Found::of_row).collect()
}

/// The last entry that a scan from here on looked at, if there are more behind it.
async fn looked_through(shard: &Shard, begin: &str, after: &At) -> Result<Option<At>, StorageError> {
    const SQL: &str = "SELECT word, user_id FROM search_entries
        WHERE (word, user_id) > ($1, $2) AND word < $3
        ORDER BY word, user_id OFFSET $4::bigint - 1 LIMIT 1";
    let client = shard.connection().await?;
    let statement = client.prepare_cached(SQL).await?;
    let from = after.or_begin(begin);
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&from.text, &from.user, &end_of(begin), &LOOKED_THROUGH];
    let row = client.query_opt(&statement, &params).await?;
    row.map(|row| Ok(At { text: row.try_get(0)?, user: row.try_get(1)? })).transpose()
}

/// Compared by bytes nothing that begins like this lies behind it.
fn end_of(begin: &str) -> String {
    format!("{begin}\u{10ffff}")
}
