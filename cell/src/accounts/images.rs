//! Rows of pictures: what is in the store, whose it is, and until when. See `images` for the order of writes.

use skep_protocol::{UserId, limits};

use super::Accounts;
use crate::{
    images::ImageName,
    shell::now,
    storage::{StorageError, Transaction},
};

/// Whether a picture may be put into the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reserved {
    Yes,
    /// The person shows the same already, under this name.
    Shown(ImageName),
    /// The store holds as many of this person's as it may; the next one is removed then.
    Full {
        retry_after_ms: u32,
    },
}

impl Accounts {
    /// Notes that a picture is about to be put into the store. If nobody comes to show it, it is removed in a day.
    pub async fn reserve_image(&self, user: UserId, name: &ImageName) -> Result<Reserved, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let shown = tx.query_opt("SELECT image FROM users WHERE user_id = $1", &[&user.uuid()]).await?;
        let shown = shown.map(|row| image(&row, 0)).transpose()?.flatten();
        if let Some(shown) = shown.filter(|shown| shown.shows_the_same(name)) {
            return Ok(Reserved::Shown(shown));
        }
        let sql = "SELECT count(*), min(remove_at_ms) FROM images WHERE user_id = $1";
        let row = tx.query_one(sql, &[&user.uuid()]).await?;
        let (kept, next): (i64, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
        if kept >= limits::IMAGES_PER_USER {
            let wait_ms = next.map_or(limits::IMAGE_KEPT_MS, |next| next - now().0).max(1_000);
            return Ok(Reserved::Full { retry_after_ms: u32::try_from(wait_ms).unwrap_or(u32::MAX) });
        }
        let sql = "INSERT INTO images (user_id, name, remove_at_ms) VALUES ($1, $2, $3)";
        tx.execute(sql, &[&user.uuid(), &name.as_str(), &now().plus(limits::IMAGE_KEPT_MS).0]).await?;
        tx.commit().await?;
        Ok(Reserved::Yes)
    }

    /// Shows a picture that is in the store, or none. The one before is kept for a day; search follows.
    pub async fn show_image(&self, user: UserId, name: Option<&ImageName>) -> Result<(), StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "SELECT image FROM users WHERE user_id = $1 AND state = 'account' FOR UPDATE";
        let row = tx.query_one(sql, &[&user.uuid()]).await?;
        let before = image(&row, 0)?;
        let is_same = match (&before, name) {
            // Of two that bring the same at once, the second finds it shown; its own goes in a day.
            (Some(before), Some(name)) => before.shows_the_same(name),
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return Ok(());
        }
        if let Some(name) = name {
            keep(&tx, user, name).await?;
        }
        if let Some(before) = before {
            let sql = "UPDATE images SET remove_at_ms = $3 WHERE user_id = $1 AND name = $2";
            tx.execute(sql, &[&user.uuid(), &before.as_str(), &now().plus(limits::IMAGE_KEPT_MS).0]).await?;
        }
        let name = name.map(ImageName::as_str);
        let sql = "UPDATE users SET image = $2 WHERE user_id = $1";
        tx.execute(sql, &[&user.uuid(), &name]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Pictures whose time has come. From here on they cannot be shown again.
    pub async fn take_due_images(&self, limit: i64) -> Result<Vec<(UserId, ImageName)>, StorageError> {
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql = "UPDATE images SET removing = true WHERE (user_id, name) IN \
             (SELECT user_id, name FROM images WHERE remove_at_ms <= $1 ORDER BY remove_at_ms LIMIT $2) RETURNING user_id, name";
        let statement = tx.prepare_cached(sql).await?;
        let rows = tx.query(&statement, &[&now().0, &limit]).await?;
        tx.commit().await?;
        let due = |row: &tokio_postgres::Row| -> Result<_, StorageError> {
            let user = UserId::from_uuid(row.try_get(0)?).map_err(|e| StorageError::Unreadable(e.to_string()))?;
            let name = image(row, 1)?.ok_or_else(|| StorageError::Unreadable("a picture without a name".to_owned()))?;
            Ok((user, name))
        };
        rows.iter().map(due).collect()
    }

    /// Pictures that are no longer in the store.
    pub async fn forget_images(&self, gone: &[(UserId, ImageName)]) -> Result<(), StorageError> {
        if gone.is_empty() {
            return Ok(());
        }
        let (users, names): (Vec<_>, Vec<_>) = gone.iter().map(|(user, name)| (user.uuid(), name.as_str())).unzip();
        let mut connection = self.shard.connection().await?;
        let tx = self.shard.begin(&mut connection).await?;
        let sql =
            "DELETE FROM images WHERE removing AND (user_id, name) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))";
        tx.execute(sql, &[&users, &names]).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// A picture in the store is shown from here on. Fails when it was given up meanwhile.
pub(super) async fn keep(tx: &Transaction<'_>, user: UserId, name: &ImageName) -> Result<(), StorageError> {
    let sql = "UPDATE images SET remove_at_ms = NULL WHERE user_id = $1 AND name = $2 AND NOT removing";
    match tx.execute(sql, &[&user.uuid(), &name.as_str()]).await? {
        1 => Ok(()),
        _ => Err(StorageError::Unavailable("the picture was given up meanwhile".to_owned())),
    }
}

/// The picture's name in a column.
pub(super) fn image(row: &tokio_postgres::Row, column: usize) -> Result<Option<ImageName>, StorageError> {
    let name: Option<&str> = row.try_get(column)?;
    name.map(|name| name.parse().map_err(|e: crate::images::NoImageName| StorageError::Unreadable(e.to_string())))
        .transpose()
}
