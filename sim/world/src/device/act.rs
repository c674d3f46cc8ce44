//! What people do.

use std::sync::Arc;

use skep_core::{Block, Blocked, NotAdded, Op, TextChange};
use skep_protocol::{ConversationId, Kind, Role, Seq, UserId, answers::NotAddedCode};

use super::Device;
use crate::plan::Groups;
use crate::shard::POISON;

/// What a person decides to do next.
#[derive(Debug)]
pub enum Act {
    Send(ConversationId, String),
    Read(ConversationId, Seq),
    /// A call over HTTP.
    Call(ConversationId, Op),
    GoOffline,
    /// On a device without memory.
    LogInAnew,
    Nothing,
}

/// What a person can know of the world.
pub struct Surroundings<'a> {
    pub people: &'a [UserId],
    /// Groups and channels that were made, and the channels' codes.
    pub made: &'a [(ConversationId, Option<String>)],
    pub groups: Groups,
    /// For new ids and texts.
    pub number: u64,
}

impl Device {
    /// The next act.
    pub fn act(&mut self, around: &Surroundings<'_>) -> Act {
        let roll = self.random.below(100);
        let direct_only = around.groups == Groups::DirectOnly;
        match roll {
            0..45 => self.send(around),
            45..55 => self.read(),
            55..63 => self.open(around),
            63..65 => self.mark(),
            65..66 => self.block(around),
            66..69 => Act::GoOffline,
            69..70 => Act::LogInAnew,
            _ if direct_only => self.send(around),
            70..74 => self.create(around),
            74..75 => self.makes_again(around),
            75..83 => self.add(around),
            83..88 => self.join(around),
            88..92 => self.any_of_made(around, |_| Op::Leave),
            92..95 => self.remove(around),
            95..97 => self.role(around),
            97..99 => self.edit(around),
            _ => self.renew(around),
        }
    }

    fn send(&mut self, around: &Surroundings<'_>) -> Act {
        let number = around.number;
        let text = match self.random.below(200) {
            0 => POISON.to_owned(),
            1..20 => format!("{number} {}", "long ".repeat(self.random.below(200))),
            _ => format!("text {number}"),
        };
        let stranger = self.random.chance(300);
        let conversations: Vec<ConversationId> = self.mind.listed().map(|(id, _)| *id).collect();
        let id = match self.random.pick(&conversations).filter(|_| !stranger) {
            Some(id) => *id,
            None => match self.random.pick(around.made) {
                Some((id, _)) => *id,
                None => return self.open(around),
            },
        };
        Act::Send(id, text)
    }

    fn read(&mut self) -> Act {
        let of: Vec<(ConversationId, Seq)> = self.mind.listed().map(|(id, k)| (*id, k.head)).collect();
        match self.random.pick(&of) {
            Some((id, head)) => {
                let back = if self.random.chance(3_000) { self.random.below(5) as u64 } else { 0 };
                let ahead = if self.random.chance(500) { 100 } else { 0 };
                Act::Read(*id, Seq(head.0.saturating_sub(back) + ahead))
            }
            None => Act::Nothing,
        }
    }

    fn other(&mut self, around: &Surroundings<'_>) -> Option<UserId> {
        let others: Vec<UserId> = around.people.iter().copied().filter(|u| *u != self.user).collect();
        self.random.pick(&others).copied()
    }

    fn open(&mut self, around: &Surroundings<'_>) -> Act {
        let Some(peer) = self.other(around) else { return Act::Nothing };
        Act::Call(ConversationId::direct(self.user, peer), Op::Open { peer })
    }

    fn mark(&mut self) -> Act {
        let listed: Vec<ConversationId> =
            self.mind.listed().map(|(id, _)| *id).filter(|id| id.kind() == Kind::Direct).collect();
        let op = if self.random.chance(8_000) { Op::Hide } else { Op::Unhide };
        self.random.pick(&listed).map_or(Act::Nothing, |id| Act::Call(*id, op))
    }

    fn block(&mut self, around: &Surroundings<'_>) -> Act {
        let Some(peer) = self.other(around) else { return Act::Nothing };
        let blocked = if self.random.chance(4_000) { Blocked::Yes } else { Blocked::No };
        Act::Call(ConversationId::direct(self.user, peer), Op::Block { peer, block: Block { version: 0, blocked } })
    }

    fn create(&mut self, around: &Surroundings<'_>) -> Act {
        // Few conversations with much life tell more than many without.
        if around.made.len() >= 4 && self.random.chance(8_000) {
            return self.add(around);
        }
        let mut users: Vec<UserId> = Vec::new();
        for _ in 0..self.random.below(around.people.len()) {
            users.extend(self.other(around).filter(|u| !users.contains(u)));
        }
        let bits = self.random.wide();
        let title = self.random.chance(5_000).then(|| format!("title {}", around.number).into());
        if self.random.chance(5_000) {
            self.makes(ConversationId::group(bits), title, users, None)
        } else {
            let code = Some(format!("code {}", around.number).into());
            let title = Some(format!("channel {}", around.number).into());
            self.makes(ConversationId::channel(bits), title, users, code)
        }
    }

    /// A conversation is made, but for one person perhaps who cannot be in it.
    fn makes(
        &mut self,
        id: ConversationId,
        title: Option<Arc<str>>,
        mut users: Vec<UserId>,
        code: Option<Arc<str>>,
    ) -> Act {
        let left_out = users.pop_if(|_| self.random.chance(5_000));
        let not_added = left_out.map(|user_id| NotAdded { user_id, code: NotAddedCode::NotAllowed });
        let op = Op::Create { title, topic: None, users, not_added: not_added.into_iter().collect(), code };
        self.making = Some((id, op.clone()));
        Act::Call(id, op)
    }

    /// The same once more, as by the same key: nobody is asked whether they can be in it.
    fn makes_again(&mut self, around: &Surroundings<'_>) -> Act {
        match self.making.clone() {
            Some((id, Op::Create { title, topic, code, .. })) => {
                Act::Call(id, Op::Create { title, topic, users: Vec::new(), not_added: Vec::new(), code })
            }
            _ => self.create(around),
        }
    }

    fn any_of_made(&mut self, around: &Surroundings<'_>, op: impl FnOnce(&mut Self) -> Op) -> Act {
        let listed: Vec<ConversationId> =
            self.mind.listed().map(|(id, _)| *id).filter(|id| id.kind() != Kind::Direct).collect();
        let id = match self.random.pick(&listed) {
            Some(id) if !self.random.chance(1_000) => Some(*id),
            _ => self.random.pick(around.made).map(|(id, _)| *id),
        };
        match id {
            Some(id) => Act::Call(id, op(self)),
            None => Act::Nothing,
        }
    }

    fn add(&mut self, around: &Surroundings<'_>) -> Act {
        let users: Vec<UserId> = (0..=self.random.below(2)).filter_map(|_| self.other(around)).collect();
        self.any_of_made(around, |_| Op::Add { users, not_added: Vec::new() })
    }

    fn join(&mut self, around: &Surroundings<'_>) -> Act {
        match self.random.pick(around.made) {
            Some((id, Some(code))) => Act::Call(*id, Op::Join { code: code.as_str().into() }),
            _ => Act::Nothing,
        }
    }

    fn remove(&mut self, around: &Surroundings<'_>) -> Act {
        let Some(user) = self.other(around) else { return Act::Nothing };
        self.any_of_made(around, |_| Op::Remove { user })
    }

    fn role(&mut self, around: &Surroundings<'_>) -> Act {
        let Some(user) = self.other(around) else { return Act::Nothing };
        self.any_of_made(around, |d| {
            let role = if d.random.chance(7_000) { Role::Admin } else { Role::Member };
            Op::SetRole { user, role }
        })
    }

    fn edit(&mut self, around: &Surroundings<'_>) -> Act {
        let text = format!("edited {}", around.number);
        self.any_of_made(around, |d| {
            let title = TextChange((!d.random.chance(3_000)).then(|| text.as_str().into()));
            if d.random.chance(5_000) {
                Op::Edit { title: Some(title), topic: None }
            } else {
                Op::Edit { title: None, topic: Some(TextChange(Some(text.as_str().into()))) }
            }
        })
    }

    fn renew(&mut self, around: &Surroundings<'_>) -> Act {
        let code = format!("code {}", around.number);
        self.any_of_made(around, |_| Op::RenewLink { code: code.as_str().into() })
    }
}
