//! Copies of how people are shown, from their own cells, kept where they are needed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use skep_protocol::{CellId, Era, SlotMap, UserId, wire};
use uuid::Uuid;

use super::{rounds, words};
use crate::storage::{Shard, StorageError};

/// What a cell sends of its people.
#[derive(Clone, PartialEq, Debug)]
pub struct Copies {
    pub home: CellId,
    pub era: Era,
    /// The round of the home that they are sent in.
    pub round_ms: i64,
    pub people: Vec<wire::Person>,
}

/// Somebody as their own cell has them.
#[derive(Clone, Debug)]
pub(super) struct Own {
    user_id: UserId,
    version: i64,
    username: String,
    display_name: String,
    image: Option<String>,
    is_disabled: bool,
}

/// As [`Own::of_row`] reads them, of a table `u`.
pub(super) const OWN_COLUMNS: &str = "u.user_id, u.version, u.username, u.display_name, u.image, u.disabled";

// === impl Own ===

impl Own {
    pub fn of_row(row: &tokio_postgres::Row, at: usize) -> Result<Self, StorageError> {
        Ok(Self {
            user_id: user(row.try_get(at)?)?,
            version: row.try_get(at + 1)?,
            username: row.try_get(at + 2)?,
            display_name: row.try_get(at + 3)?,
            image: row.try_get(at + 4)?,
            is_disabled: row.try_get(at + 5)?,
        })
    }

    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// By what they are found, by the cell that has it.
    pub fn entries(&self, map: &SlotMap) -> BTreeMap<CellId, Vec<String>> {
        if self.is_disabled {
            BTreeMap::new()
        } else {
            by_cell(map, words::entries(&self.username, &self.display_name))
        }
    }

    /// For another cell: with the entries that it has of them, `None` where that is not the question.
    pub fn to_wire(&self, words: Option<Vec<String>>) -> wire::Person {
        wire::Person {
            user_id: Bytes::copy_from_slice(&self.user_id.to_bytes()),
            version: self.version.unsigned_abs(),
            username: self.username.clone(),
            display_name: self.display_name.clone(),
            image: self.image.clone(),
            hidden: self.is_disabled,
            entries: words.map(|words| wire::Entries { words }),
        }
    }
}

/// Entries by the cell that owns their slot.
pub(super) fn by_cell(map: &SlotMap, entries: BTreeSet<String>) -> BTreeMap<CellId, Vec<String>> {
    let mut cells: BTreeMap<CellId, Vec<String>> = BTreeMap::new();
    for entry in entries {
        if let Some(cell) = map.owner(words::slot_of(&entry)) {
            cells.entry(cell).or_default().push(entry);
        }
    }
    cells
}

/// These people of this cell, for one that asks for them; who is not there does not exist.
pub async fn get(shard: &Shard, users: &[UserId]) -> Result<Copies, StorageError> {
    let client = shard.connection().await?;
    let sql = format!("SELECT {OWN_COLUMNS} FROM users u WHERE u.user_id = ANY ($1) AND u.state = 'account'");
    let ids: Vec<Uuid> = users.iter().map(|user| user.uuid()).collect();
    let rows = client.query(&client.prepare_cached(&sql).await?, &[&ids]).await?;
    let people = rows.iter().map(|row| Ok(Own::of_row(row, 0)?.to_wire(None)));
    let people = people.collect::<Result<_, StorageError>>()?;
    Ok(Copies { home: shard.cell(), era: shard.era(), round_ms: rounds::current(shard).await?, people })
}

/// Keeps copies: the newest of each person, whatever comes first or twice. Rows are locked in the order of ids.
pub async fn put(shard: &Shard, copies: &Copies) -> Result<(), StorageError> {
    let mut people: BTreeMap<UserId, &wire::Person> = BTreeMap::new();
    for person in &copies.people {
        let Ok(id) = UserId::from_bytes(&person.user_id) else { continue };
        let newest = people.entry(id).or_insert(person);
        if (newest.version, newest.entries.is_some()) < (person.version, person.entries.is_some()) {
            *newest = person;
        }
    }
    if people.is_empty() {
        return Ok(());
    }
    let mut connection = shard.connection().await?;
    let tx = shard.begin(&mut connection).await?;
    let ids: Vec<Uuid> = people.keys().map(|id| id.uuid()).collect();
    let versions: Vec<i64> = people.values().map(|p| i64::try_from(p.version).unwrap_or(i64::MAX)).collect();
    let usernames: Vec<&str> = people.values().map(|p| p.username.as_str()).collect();
    let display_names: Vec<&str> = people.values().map(|p| p.display_name.as_str()).collect();
    let images: Vec<Option<&str>> = people.values().map(|p| p.image.as_deref()).collect();
    let (home, era) = (copies.home.0 as i32, copies.era.0 as i32);
    let statement = tx.prepare_cached(PROFILES).await?;
    let taken = tx
        .query(&statement, &[&home, &era, &copies.round_ms, &ids, &versions, &usernames, &display_names, &images])
        .await?;
    let mut taken_people = Vec::with_capacity(taken.len());
    for row in &taken {
        taken_people.extend(people.get_key_value(&user(row.try_get(0)?)?));
    }

    let with_entries = || taken_people.iter().filter_map(|(id, p)| Some((id.uuid(), p.entries.as_ref()?)));
    let whole: Vec<Uuid> = with_entries().map(|(id, _)| id).collect();
    let entries = with_entries().flat_map(|(id, entries)| entries.words.iter().map(move |word| (id, word.as_str())));
    let (of, words): (Vec<Uuid>, Vec<&str>) = entries.unzip();
    let statement = tx.prepare_cached(ENTRIES_GONE).await?;
    tx.execute(&statement, &[&whole, &of, &words]).await?;
    let statement = tx.prepare_cached(ENTRIES).await?;
    tx.execute(&statement, &[&of, &words]).await?;

    let ids: Vec<Uuid> = taken_people.iter().map(|(id, _)| id.uuid()).collect();
    let names = taken_people
        .iter()
        .map(|(_, p)| if p.hidden { String::new() } else { words::names(&p.username, &p.display_name) });
    let names: Vec<String> = names.collect();
    let statement = tx.prepare_cached(KNOWN).await?;
    tx.execute(&statement, &[&ids, &names]).await?;
    tx.commit().await?;
    Ok(())
}

/// An era is one of its home: whoever changed cells is taken from the new one.
const PROFILES: &str = "
    INSERT INTO profiles AS p (user_id, home, era, version, round_ms, username, display_name, image)
    SELECT u.id, $1::integer, $2::integer, u.version, $3::bigint, u.username, u.display_name, u.image
    FROM unnest($4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[])
        AS u (id, version, username, display_name, image)
    ON CONFLICT (user_id) DO UPDATE SET home = excluded.home, era = excluded.era, version = excluded.version,
        round_ms = excluded.round_ms, username = excluded.username, display_name = excluded.display_name,
        image = excluded.image
    WHERE p.home <> excluded.home OR (p.era, p.version) <= (excluded.era, excluded.version)
    RETURNING user_id";

const ENTRIES_GONE: &str = "
    DELETE FROM search_entries e USING unnest($1::uuid[]) AS u (id)
    WHERE e.user_id = u.id AND NOT EXISTS (
        SELECT 1 FROM unnest($2::uuid[], $3::text[]) AS w (id, word) WHERE w.id = e.user_id AND w.word = e.word)";

const ENTRIES: &str = "
    INSERT INTO search_entries (user_id, word) SELECT * FROM unnest($1::uuid[], $2::text[]) ON CONFLICT DO NOTHING";

const KNOWN: &str = "
    UPDATE known k SET names = u.names, ask = false FROM unnest($1::uuid[], $2::text[]) AS u (id, names)
    WHERE k.other_id = u.id AND (k.names <> u.names OR k.ask)";

pub(super) fn user(id: Uuid) -> Result<UserId, StorageError> {
    UserId::from_uuid(id).map_err(|e| StorageError::Unreadable(e.to_string()))
}
