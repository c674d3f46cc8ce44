//! The cell's Redis: whole blocks of messages, and when people were last seen. All of it may vanish or be old at any
//! time; everything is right without it, only slower.

use std::time::Duration;

use prost::Message as _;
use redis::{AsyncCommands, Client, aio::ConnectionManager, aio::ConnectionManagerConfig};
use skep_protocol::{ConversationId, Era, Message, Millis, Seq, UserId, wire};
use tokio::sync::OnceCell;

use crate::history::{self, BLOCK};

/// How long a last-seen time is of interest.
const SEEN_KEPT_S: u64 = 400 * 24 * 60 * 60;
/// How long a block stays without being read.
const BLOCK_KEPT_S: i64 = 24 * 60 * 60;
/// A cache that takes longer than this is of no use.
const PATIENCE: Duration = Duration::from_millis(200);

/// The cache, which may be away.
pub struct Cache {
    client: Option<Client>,
    manager: OnceCell<ConnectionManager>,
}

impl Cache {
    /// Of this address; `None` has no cache at all. Connects when it is first used.
    pub fn new(url: Option<&str>) -> anyhow::Result<Self> {
        Ok(Self { client: url.map(Client::open).transpose()?, manager: OnceCell::new() })
    }

    /// Whether the Redis answers now.
    pub async fn ping(&self) -> Option<()> {
        let mut manager = self.manager().await?;
        within(manager.ping::<()>()).await
    }

    /// When somebody's last connection went; `None` also when that is not known.
    pub async fn last_seen(&self, user: UserId) -> Option<Millis> {
        let mut manager = self.manager().await?;
        within(manager.get::<_, Option<i64>>(seen_key(user))).await?.map(Millis)
    }

    /// Somebody's last connection went.
    pub async fn saw(&self, user: UserId, at: Millis) {
        let Some(mut manager) = self.manager().await else { return };
        within(manager.set_ex::<_, _, ()>(seen_key(user), at.0, SEEN_KEPT_S)).await;
    }

    /// A whole block, if it is there. Only what is whole and of this conversation is taken for one.
    pub async fn block(&self, era: Era, id: ConversationId, block: u64) -> Option<Vec<Message>> {
        let mut manager = self.manager().await?;
        let expiry = redis::Expiry::EX(BLOCK_KEPT_S as u64);
        let bytes = within(manager.get_ex::<_, Option<Vec<u8>>>(block_key(era, id, block), expiry)).await??;
        let stored = wire::HistoryReply::decode(bytes.as_slice()).ok()?;
        let messages: Vec<Message> = stored.messages.into_iter().filter_map(|m| history::of_wire(id, m)).collect();
        let seqs = (block * BLOCK + 1..=(block + 1) * BLOCK).map(Seq);
        messages.iter().map(|m| m.seq).eq(seqs).then_some(messages)
    }

    /// Keeps a whole block for the next reader. It never changes, so it is never taken back; after a restore of the
    /// shard it belongs to an earlier era.
    pub async fn keep_block(&self, era: Era, id: ConversationId, block: u64, messages: &[Message]) {
        let Some(mut manager) = self.manager().await else { return };
        let bytes = wire::HistoryReply { messages: messages.iter().map(history::to_wire).collect() }.encode_to_vec();
        within(manager.set_ex::<_, _, ()>(block_key(era, id, block), bytes, BLOCK_KEPT_S as u64)).await;
    }

    async fn manager(&self) -> Option<ConnectionManager> {
        let client = self.client.as_ref()?;
        let config = ConnectionManagerConfig::new().set_number_of_retries(1);
        let connect = self.manager.get_or_try_init(|| ConnectionManager::new_with_config(client.clone(), config));
        within(connect).await.cloned()
    }
}

async fn within<T>(asked: impl Future<Output = redis::RedisResult<T>>) -> Option<T> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the cache is away");
            None
        }
        Err(_) => None,
    }
}

fn seen_key(user: UserId) -> String {
    format!("seen:{user}")
}

fn block_key(era: Era, id: ConversationId, block: u64) -> String {
    format!("block:{era}:{id}:{block}")
}
