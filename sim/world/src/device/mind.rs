//! What a client keeps (api.md): seqs, the token, what is unsent. It does what the contract says and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use skep_protocol::{
    ClientMessageId, Code, Conversation, ConversationId, LeftConversation, LeftReason, Message, Seq, ServerFrame,
    SyncedConversation, UserId,
};

/// The number of a send that is under way over HTTP.
pub const OVER_HTTP: u64 = u64::MAX;

/// A client's memory.
#[derive(Debug)]
pub struct Mind {
    pub user: UserId,
    pub token: Option<String>,
    pub phase: Phase,
    pub conversations: BTreeMap<ConversationId, Kept>,
    pub unsent: Vec<Unsent>,
    /// Requests of this connection that wait for an answer.
    pub asked: BTreeMap<u64, Asked>,
    /// Requests whose answer was perhaps among what was dropped: at most one may still come.
    pub doubted: BTreeSet<u64>,
    next_reference: u64,
    /// Own messages whose answers came before the page of the sync that lists their conversation.
    early: Vec<Message>,
    /// Whether `resync` came and `sync` is to be sent.
    pub wants_sync: bool,
}

/// Where a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Away,
    /// Before the first page of a sync.
    Greeted,
    /// Between pages.
    Paging,
    Live,
}

/// A conversation as the client knows it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub info: Conversation,
    pub messages: BTreeMap<Seq, Message>,
    pub head: Seq,
    pub read: Seq,
    pub left: Option<(Seq, LeftReason)>,
    /// Whether a hole is being fetched.
    pub fetching: bool,
}

/// A message without an answer.
#[derive(Clone, Debug)]
pub struct Unsent {
    pub conversation_id: ConversationId,
    pub client_message_id: ClientMessageId,
    pub text: String,
    /// The request on this connection, if it has been sent there.
    pub reference: Option<u64>,
}

/// What a request was about.
#[derive(Clone, Debug)]
pub enum Asked {
    Send(ConversationId, ClientMessageId),
    Read,
    History(ConversationId),
}

/// What the checkers should know.
#[derive(Debug)]
pub enum Learned {
    Message(Message),
    /// An own message's place.
    Acknowledged(ConversationId, ClientMessageId, Seq),
    Refused(ConversationId, ClientMessageId, Code),
    ReadUpTo(ConversationId, Seq),
    Synced,
    /// Something that a client must never see.
    Wrong(String),
}

impl Mind {
    /// Of a device that has just been bought.
    pub fn new(user: UserId) -> Self {
        Self {
            user,
            token: None,
            phase: Phase::Away,
            conversations: BTreeMap::new(),
            unsent: Vec::new(),
            asked: BTreeMap::new(),
            doubted: BTreeSet::new(),
            next_reference: 1,
            early: Vec::new(),
            wants_sync: false,
        }
    }

    /// A new connection has said hello.
    pub fn greeted(&mut self) {
        self.phase = Phase::Greeted;
        self.wants_sync = false;
    }

    /// The connection is gone: what was not answered is not known.
    pub fn away(&mut self) {
        self.phase = Phase::Away;
        self.early.clear();
        self.asked.clear();
        self.doubted.clear();
        self.forget_fetches();
        self.doubt_unsent();
    }

    /// A new request's number.
    pub fn ask(&mut self, asked: Asked) -> u64 {
        let reference = self.next_reference;
        self.next_reference += 1;
        self.asked.insert(reference, asked);
        reference
    }

    /// A send whose answer will not come is sent again.
    pub fn ask_again(&mut self, client_message_id: ClientMessageId) {
        let unsent = self.unsent.iter_mut().find(|u| u.client_message_id == client_message_id);
        unsent.into_iter().for_each(|u| u.reference = None);
    }

    /// A hole of a conversation is being fetched.
    pub fn fetches(&mut self, id: ConversationId) {
        self.conversations.get_mut(&id).into_iter().for_each(|k| k.fetching = true);
    }

    /// Conversations that are listed, as a person sees them.
    pub fn listed(&self) -> impl Iterator<Item = (&ConversationId, &Kept)> {
        self.conversations.iter().filter(|(_, k)| k.is_listed())
    }

    /// Takes a frame in.
    pub fn frame(&mut self, frame: ServerFrame, learned: &mut Vec<Learned>) {
        match frame {
            ServerFrame::Sync { full, conversations, left } => {
                if full && self.phase == Phase::Greeted {
                    self.conversations.clear();
                }
                self.phase = Phase::Paging;
                conversations.into_iter().for_each(|c| self.synced_conversation(c, learned));
                for gone in left {
                    self.left(&gone);
                }
            }
            ServerFrame::Synced { sync_token } => {
                self.token = Some(sync_token);
                self.phase = Phase::Live;
                for message in std::mem::take(&mut self.early) {
                    self.message(message, learned);
                }
                learned.push(Learned::Synced);
            }
            ServerFrame::Checkpoint { sync_token } => {
                if self.phase != Phase::Live {
                    learned.push(Learned::Wrong("a checkpoint between hello or sync and synced".to_owned()));
                }
                self.token = Some(sync_token);
            }
            ServerFrame::Sent { reference, conversation_id, client_message_id, seq, sent_at } => {
                self.answered(reference, learned);
                let text =
                    self.unsent.iter().find(|u| u.client_message_id == client_message_id).map(|u| u.text.clone());
                learned.push(Learned::Acknowledged(conversation_id, client_message_id, seq));
                if let Some(kept) = self.conversations.get_mut(&conversation_id) {
                    kept.head = kept.head.max(seq);
                    kept.read = kept.read.max(seq);
                }
                if let Some(text) = text {
                    let sender_id = self.user;
                    let text = text.into();
                    self.message(
                        Message { conversation_id, seq, sender_id, client_message_id, sent_at, text },
                        learned,
                    );
                }
            }
            ServerFrame::Messages { messages } => messages.into_iter().for_each(|m| self.message(m, learned)),
            ServerFrame::Conversation { conversation } => self.conversation(conversation),
            ServerFrame::Left { conversation_id, first_seq, left_seq, reason } => {
                self.left(&LeftConversation { conversation_id, first_seq, left_seq, reason });
            }
            ServerFrame::Read { reference, conversation_id, read_seq, unread } => {
                if let Some(reference) = reference {
                    self.answered(reference, learned);
                    learned.push(Learned::ReadUpTo(conversation_id, read_seq));
                }
                if let Some(kept) = self.conversations.get_mut(&conversation_id) {
                    kept.read = kept.read.max(read_seq);
                    kept.head = kept.head.max(Seq(read_seq.0 + unread));
                }
            }
            ServerFrame::History { reference, conversation_id, messages, .. } => {
                self.answered(reference, learned);
                if let Some(kept) = self.conversations.get_mut(&conversation_id) {
                    kept.fetching = false;
                }
                messages.into_iter().for_each(|m| self.message(m, learned));
            }
            ServerFrame::Error { reference, code, .. } => self.refused(reference, code, learned),
            ServerFrame::Resync => {
                self.wants_sync = true;
                self.forget_fetches();
                self.doubted.extend(std::mem::take(&mut self.asked).into_keys());
                self.doubt_unsent();
            }
            ServerFrame::Welcome { .. } | ServerFrame::Pong { .. } | ServerFrame::Unknown => {}
            ServerFrame::Moved | ServerFrame::Bye { .. } => {}
        }
    }

    fn answered(&mut self, reference: u64, learned: &mut Vec<Learned>) -> Option<Asked> {
        let asked = self.asked.remove(&reference);
        if asked.is_none() && !self.doubted.remove(&reference) {
            learned.push(Learned::Wrong(format!("an answer to request {reference}, which waits for none")));
        }
        asked
    }

    fn refused(&mut self, reference: Option<u64>, code: Code, learned: &mut Vec<Learned>) {
        let Some(asked) = reference.and_then(|r| self.answered(r, learned)) else { return };
        match asked {
            Asked::Send(id, client_message_id) => {
                let place = self.unsent.iter().position(|u| u.client_message_id == client_message_id);
                let Some(place) = place else { return };
                if code.retryable() && code != Code::Internal {
                    self.unsent[place].reference = None;
                } else {
                    self.unsent.remove(place);
                    learned.push(Learned::Refused(id, client_message_id, code));
                }
            }
            Asked::History(id) => {
                if let Some(kept) = self.conversations.get_mut(&id) {
                    kept.fetching = false;
                }
            }
            Asked::Read => {}
        }
    }

    fn synced_conversation(&mut self, synced: SyncedConversation, learned: &mut Vec<Learned>) {
        self.conversation(synced.conversation);
        synced.messages.into_iter().for_each(|m| self.message(m, learned));
    }

    fn conversation(&mut self, info: Conversation) {
        let kept = self.conversations.entry(info.conversation_id).or_insert_with(|| Kept {
            info: info.clone(),
            messages: BTreeMap::new(),
            head: Seq::ZERO,
            read: Seq::ZERO,
            left: None,
            fetching: false,
        });
        kept.left = None;
        kept.head = kept.head.max(info.head_seq);
        kept.read = kept.read.max(info.read_seq);
        kept.messages = kept.messages.split_off(&info.first_seq);
        kept.info = info;
    }

    fn left(&mut self, gone: &LeftConversation) {
        if let Some(kept) = self.conversations.get_mut(&gone.conversation_id) {
            kept.left = Some((gone.left_seq, gone.reason));
            kept.messages = kept.messages.split_off(&gone.first_seq);
            kept.info.first_seq = gone.first_seq;
        }
    }

    /// A message, pushed or in an answer.
    pub fn message(&mut self, message: Message, learned: &mut Vec<Learned>) {
        let id = message.conversation_id;
        learned.push(Learned::Message(message.clone()));
        let is_own = message.sender_id == self.user;
        if is_own {
            self.unsent.retain(|u| u.client_message_id != message.client_message_id);
        }
        // What comes of a conversation that was left and forgotten is of no use to anybody.
        let Some(kept) = self.conversations.get_mut(&id) else {
            if is_own && self.phase != Phase::Live {
                self.early.push(message);
            }
            return;
        };
        if message.seq < kept.info.first_seq {
            return;
        }
        kept.head = kept.head.max(message.seq);
        if is_own {
            kept.read = kept.read.max(message.seq);
        }
        if let Some(there) = kept.messages.get(&message.seq)
            && *there != message
        {
            learned.push(Learned::Wrong(format!("two messages at {id} {:?}: {there:?} and {message:?}", message.seq)));
        }
        kept.messages.insert(message.seq, message);
    }

    /// What this connection has not answered is sent again; a call over HTTP has an answer of its own.
    fn doubt_unsent(&mut self) {
        let on_socket = self.unsent.iter_mut().filter(|u| u.reference != Some(OVER_HTTP));
        on_socket.for_each(|u| u.reference = None);
    }

    fn forget_fetches(&mut self) {
        self.conversations.values_mut().for_each(|k| k.fetching = false);
    }
}

impl Kept {
    /// Whether it is in the person's list.
    pub fn is_listed(&self) -> bool {
        match self.left {
            None => true,
            Some((left_seq, LeftReason::Hidden)) => self.head > left_seq,
            Some(_) => false,
        }
    }

    /// The first seq that is missing, and the first one after it that is there.
    pub fn hole(&self) -> Option<(Seq, Seq)> {
        let mut wanted = self.info.first_seq;
        for seq in self.messages.keys() {
            if *seq > wanted {
                return Some((wanted, *seq));
            }
            wanted = seq.next();
        }
        (wanted <= self.head).then_some((wanted, self.head.next()))
    }

    /// As a person sees it.
    pub fn view(&self) -> Conversation {
        Conversation {
            head_seq: self.head,
            read_seq: self.read,
            unread: self.head.0.saturating_sub(self.read.0),
            ..self.info.clone()
        }
    }
}
