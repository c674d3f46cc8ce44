//! What another cell asks.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use skep_core::Cursor;
use skep_protocol::{CellId, Code, ConversationId, Era, Lane, Pos, Refusal, Seq, UserId, limits, wire};
use tonic::{Request, Response, Status};
use wire::{link_request::By, settle_account_reply::Outcome};

use crate::{
    accounts::{Account, ClaimOutcome, Settled, claims},
    context::{Context, failed},
    history,
    http::log_in,
    search::{self, Query, Strangers},
    storage::Edge,
};

/// The gRPC service.
pub struct PeerService(pub Arc<Context>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl wire::peer_server::Peer for PeerService {
    async fn lookup_users(&self, request: Request<wire::LookupUsersRequest>) -> Answer<wire::LookupUsersReply> {
        let request = request.into_inner();
        let ids = request.user_ids.iter().take(limits::IDS_PER_CALL).filter_map(|b| UserId::from_bytes(b).ok());
        let ids: Vec<UserId> = ids.collect();
        let accounts = self.0.accounts.find(&ids).await.map_err(|e| refuse(failed(e)))?;
        let full = if request.for_joining {
            self.0.shard.full_users(&ids).await.map_err(|e| refuse(failed(e)))?
        } else {
            HashSet::new()
        };
        let asker = user(&request.asker)?;
        let blockers = self.0.accounts.blockers(&ids, asker).await.map_err(|e| refuse(failed(e)))?;
        let mut users = Vec::with_capacity(accounts.len());
        for account in accounts {
            let is_full = full.contains(&account.profile.user_id);
            users.push(wire::UserState { is_full, ..state(&self.0, account, &blockers).await });
        }
        Ok(Response::new(wire::LookupUsersReply { users }))
    }

    async fn find_username(&self, request: Request<wire::FindUsernameRequest>) -> Answer<wire::LookupUsersReply> {
        let found =
            self.0.accounts.find_username(&request.into_inner().username).await.map_err(|e| refuse(failed(e)))?;
        let mut users = Vec::new();
        if let Some(account) = found {
            users.push(state(&self.0, account, &HashSet::new()).await);
        }
        Ok(Response::new(wire::LookupUsersReply { users }))
    }

    async fn claim_email(&self, request: Request<wire::ClaimEmailRequest>) -> Answer<wire::ClaimEmailReply> {
        let request = request.into_inner();
        let outcome = claims::claim(&self.0, &request.email, user(&request.user_id)?).await.map_err(refuse)?;
        let reply = wire::ClaimEmailReply {
            taken: outcome == ClaimOutcome::Taken,
            in_progress: matches!(outcome, ClaimOutcome::Pending(_)),
        };
        Ok(Response::new(reply))
    }

    async fn activate_email(&self, request: Request<wire::EmailOwner>) -> Answer<wire::Done> {
        let request = request.into_inner();
        let done = self.0.accounts.activate_email(&request.email, user(&request.user_id)?).await;
        done.map(|()| Response::new(wire::Done {})).map_err(|e| refuse(failed(e)))
    }

    async fn release_email(&self, request: Request<wire::EmailOwner>) -> Answer<wire::Done> {
        let request = request.into_inner();
        let done = self.0.accounts.release_email(&request.email, user(&request.user_id)?).await;
        done.map(|()| Response::new(wire::Done {})).map_err(|e| refuse(failed(e)))
    }

    async fn settle_account(&self, request: Request<wire::SettleAccountRequest>) -> Answer<wire::SettleAccountReply> {
        let settled =
            self.0.accounts.settle(user(&request.into_inner().user_id)?).await.map_err(|e| refuse(failed(e)))?;
        let outcome = match settled {
            Settled::Exists => Outcome::Exists,
            Settled::InProgress => Outcome::InProgress,
            Settled::No => Outcome::No,
        };
        Ok(Response::new(wire::SettleAccountReply { outcome: outcome.into() }))
    }

    async fn resolve_email(&self, request: Request<wire::ResolveEmailRequest>) -> Answer<wire::ResolveEmailReply> {
        let holder = self.0.accounts.email_holder(&request.into_inner().email).await.map_err(|e| refuse(failed(e)))?;
        let user_id = holder.map(|(user, _)| Bytes::copy_from_slice(&user.to_bytes())).unwrap_or_default();
        Ok(Response::new(wire::ResolveEmailReply { user_id }))
    }

    async fn log_in(&self, request: Request<wire::LogInRequest>) -> Answer<wire::LogInReply> {
        let request = request.into_inner();
        let accounts = self.0.accounts.find(&[user(&request.user_id)?]).await.map_err(|e| refuse(failed(e)))?;
        let body =
            log_in(&self.0, accounts.into_iter().next(), request.password, request.device).await.map_err(refuse)?;
        let body = serde_json::to_string(&body).map_err(|e| Status::internal(e.to_string()))?;
        Ok(Response::new(wire::LogInReply { body }))
    }

    async fn put_people(&self, request: Request<wire::PutPeopleRequest>) -> Answer<wire::PutPeopleReply> {
        let done = search::put(&self.0.shard, &request.into_inner().into()).await;
        done.map_err(|e| refuse(failed(e)))?;
        Ok(Response::new(wire::PutPeopleReply { era: self.0.shard.era().0 }))
    }

    async fn sweep_people(&self, request: Request<wire::SweepPeopleRequest>) -> Answer<wire::Done> {
        let wire::SweepPeopleRequest { cell_id, round_ms } = request.into_inner();
        let done = search::sweep(&self.0.shard, CellId(cell_id), round_ms).await;
        done.map(|()| Response::new(wire::Done {})).map_err(|e| refuse(failed(e)))
    }

    async fn get_people(&self, request: Request<wire::GetPeopleRequest>) -> Answer<wire::PutPeopleRequest> {
        let ids = request.into_inner().user_ids;
        let ids: Vec<UserId> =
            ids.iter().take(limits::IDS_PER_CALL).filter_map(|b| UserId::from_bytes(b).ok()).collect();
        let copies = search::get(&self.0.shard, &ids).await.map_err(|e| refuse(failed(e)))?;
        Ok(Response::new(copies.into()))
    }

    async fn search(&self, request: Request<wire::SearchRequest>) -> Answer<wire::SearchReply> {
        let request = request.into_inner();
        let query = Query::new(&request.query).ok_or_else(|| Status::invalid_argument("nothing is looked for"))?;
        let after = request.after.map_or(Ok(Strangers::start()), Strangers::try_from);
        let after = after.map_err(|e| Status::invalid_argument(e.to_string()))?;
        let limit = request.limit.min(limits::PAGE) as usize;
        let found = search::strangers(&self.0.shard, &query, &after, limit).await;
        let (users, next) = found.map_err(|e| refuse(failed(e)))?;
        let users = users.into_iter().map(wire::FoundUser::from).collect();
        Ok(Response::new(wire::SearchReply { users, next: next.map(Into::into) }))
    }

    async fn history(&self, request: Request<wire::HistoryRequest>) -> Answer<wire::HistoryReply> {
        let request = request.into_inner();
        let id = conversation(&request.conversation_id)?;
        let (first, last) = (Seq(request.first), Seq(request.last));
        let page = self
            .0
            .shard
            .page(id, first, last, Edge::Newest, limits::PAGE as usize)
            .await
            .map_err(|e| refuse(failed(e)))?;
        let messages = page.iter().map(history::to_wire).collect();
        Ok(Response::new(wire::HistoryReply { messages }))
    }

    async fn members(&self, request: Request<wire::MembersRequest>) -> Answer<wire::MembersReply> {
        let reply = crate::http::members_here(&self.0, &request.into_inner()).await.map_err(refuse)?;
        Ok(Response::new(reply))
    }

    async fn standing(&self, request: Request<wire::StandingRequest>) -> Answer<wire::StandingReply> {
        let request = request.into_inner();
        let lane = Lane(u16::try_from(request.lane).map_err(|_| Status::invalid_argument("no such lane"))?);
        let peer = CellId(request.cell_id);
        let rows = (Era(request.rows_era), Pos(request.rows_pos));
        let cursor = Cursor { peer, lane, era: Era(request.era), pos: Pos(request.pos), rows };
        let pos = self.0.shard.holds_up_to(cursor.era, lane, cursor.pos);
        let lost = !self.0.shard.cursor_holds(&cursor);
        let after = if request.after.is_empty() { None } else { Some(conversation(&request.after)?) };
        let slots = self.0.map.current().slots_of(peer);
        let page = self.0.shard.standing(lane, pos, &slots, after).await.map_err(|e| refuse(failed(e)))?;
        let standing = page.into_iter().map(|s| wire::Standing {
            conversation_id: Bytes::copy_from_slice(&s.conversation_id.to_bytes()),
            head: s.head.0,
            members: s.members.iter().map(|user| Bytes::copy_from_slice(&user.to_bytes())).collect(),
        });
        let home_lanes = u32::from(self.0.hub.home_lanes());
        Ok(Response::new(wire::StandingReply { pos: pos.0, home_lanes, conversations: standing.collect(), lost }))
    }

    async fn link(&self, request: Request<wire::LinkRequest>) -> Answer<wire::LinkReply> {
        let row = match request.into_inner().by {
            Some(By::Code(code)) => self.0.shard.link(&code).await,
            Some(By::ConversationId(id)) => self.0.shard.conversation(conversation(&id)?).await,
            None => return Err(Status::invalid_argument("by what?")),
        };
        let row = row.map_err(|e| refuse(failed(e)))?;
        let row =
            row.ok_or_else(|| refuse(Refusal::new(Code::NotFound, "this link leads nowhere: ask for a new one")))?;
        crate::http::link_reply(row).map(Response::new).map_err(refuse)
    }
}

/// A person as other cells see them.
async fn state(context: &Context, account: Account, blockers: &HashSet<UserId>) -> wire::UserState {
    let presence = context.presence_to(account.profile.user_id, blockers).await;
    wire::UserState {
        user_id: Bytes::copy_from_slice(&account.profile.user_id.to_bytes()),
        username: account.profile.username,
        display_name: account.profile.display_name,
        image_url: account.profile.image_url,
        online: presence.online,
        last_seen_ms: presence.last_seen.map(|at| at.0),
        blocks_asker: blockers.contains(&account.profile.user_id),
        disabled: account.is_disabled,
        is_full: false,
    }
}

fn user(bytes: &[u8]) -> Result<UserId, Status> {
    UserId::from_bytes(bytes).map_err(|e| Status::invalid_argument(e.to_string()))
}

fn conversation(bytes: &[u8]) -> Result<ConversationId, Status> {
    ConversationId::from_bytes(bytes).map_err(|e| Status::invalid_argument(e.to_string()))
}

fn refuse(refusal: Refusal) -> Status {
    Status::failed_precondition(format!("{}: {}", refusal.code, refusal.detail))
}
