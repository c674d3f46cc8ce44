//! Asking another cell.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use skep_directory::MapWatch;
use skep_inside::{Inside, Proof, Seldom};
use skep_protocol::{CellId, Code, ConversationId, Era, Refusal, UserId, wire};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use wire::{operator_client::OperatorClient, peer_client::PeerClient};

use crate::{
    accounts::ClaimStand,
    context::unavailable,
    operator::{ClaimStep, Claimed},
    search::{Copies, Found, Strangers},
    trace,
};

/// One call's patience: less than the caller's own deadline.
const DEADLINE: Duration = Duration::from_secs(5);

/// Said once in a while.
static REFUSED: Seldom = Seldom::new(Duration::from_secs(30));

/// The other cells.
pub struct Peers {
    map: Arc<MapWatch>,
    inside: Inside,
    channels: Mutex<HashMap<String, Channel>>,
}

type Answer<T> = Result<T, Refusal>;
/// A way to a cell on which each call shows the cluster's secret and names the request that it is made for.
type Way = InterceptedService<Channel, Asking>;

#[derive(Clone)]
struct Asking(Proof);

impl Peers {
    pub fn new(map: Arc<MapWatch>, inside: Inside) -> Self {
        Self { map, inside, channels: Mutex::default() }
    }

    /// `for_joining`: also whether they can be in one conversation more.
    pub async fn lookup(
        &self,
        cell: CellId,
        users: &[UserId],
        asker: UserId,
        for_joining: bool,
    ) -> Answer<Vec<wire::UserState>> {
        let user_ids = users.iter().map(id).collect();
        let request = wire::LookupUsersRequest { user_ids, asker: id(&asker), for_joining };
        let mut client = self.client(cell)?;
        Ok(within(client.lookup_users(request)).await?.users)
    }

    pub async fn find_username(&self, cell: CellId, username: &str) -> Answer<Vec<wire::UserState>> {
        let request = wire::FindUsernameRequest { username: username.to_owned() };
        let mut client = self.client(cell)?;
        Ok(within(client.find_username(request)).await?.users)
    }

    pub async fn claim_email(&self, cell: CellId, email: &str, user: UserId) -> Answer<wire::ClaimEmailReply> {
        let request = wire::ClaimEmailRequest { email: email.to_owned(), user_id: id(&user) };
        let mut client = self.client(cell)?;
        within(client.claim_email(request)).await
    }

    pub async fn activate_email(&self, cell: CellId, email: &str, user: UserId) -> Answer<()> {
        let request = wire::EmailOwner { email: email.to_owned(), user_id: id(&user) };
        let mut client = self.client(cell)?;
        within(client.activate_email(request)).await.map(|_| ())
    }

    pub async fn release_email(&self, cell: CellId, email: &str, user: UserId) -> Answer<()> {
        let request = wire::EmailOwner { email: email.to_owned(), user_id: id(&user) };
        let mut client = self.client(cell)?;
        within(client.release_email(request)).await.map(|_| ())
    }

    pub async fn settle(&self, cell: CellId, user: UserId) -> Answer<wire::settle_account_reply::Outcome> {
        let mut client = self.client(cell)?;
        let reply = within(client.settle_account(wire::SettleAccountRequest { user_id: id(&user) })).await?;
        Ok(reply.outcome())
    }

    pub async fn log_in(&self, cell: CellId, user: UserId, password: String, device: Option<String>) -> Answer<String> {
        let mut client = self.client(cell)?;
        Ok(within(client.log_in(wire::LogInRequest { user_id: id(&user), password, device })).await?.body)
    }

    /// The era of the cell that has them now.
    pub async fn put_people(&self, cell: CellId, copies: Copies) -> Answer<Era> {
        let mut client = self.client(cell)?;
        Ok(Era(within(client.put_people(wire::PutPeopleRequest::from(copies))).await?.era))
    }

    /// `home` is the calling cell.
    pub async fn sweep_people(&self, cell: CellId, home: CellId, round_ms: i64) -> Answer<()> {
        let mut client = self.client(cell)?;
        within(client.sweep_people(wire::SweepPeopleRequest { cell_id: home.0, round_ms })).await.map(|_| ())
    }

    pub async fn get_people(&self, cell: CellId, users: &[UserId]) -> Answer<Copies> {
        let mut client = self.client(cell)?;
        let request = wire::GetPeopleRequest { user_ids: users.iter().map(id).collect() };
        Ok(within(client.get_people(request)).await?.into())
    }

    pub async fn search(
        &self,
        cell: CellId,
        query: &str,
        after: &Strangers,
        limit: usize,
    ) -> Answer<(Vec<Found>, Option<Strangers>)> {
        let request =
            wire::SearchRequest { query: query.to_owned(), limit: limit as u32, after: Some(after.clone().into()) };
        let mut client = self.client(cell)?;
        let reply = within(client.search(request)).await?;
        let found = reply.users.into_iter().filter_map(|user| Found::try_from(user).ok()).collect();
        Ok((found, reply.next.and_then(|next| Strangers::try_from(next).ok())))
    }

    pub async fn history(
        &self,
        cell: CellId,
        conversation: ConversationId,
        first: u64,
        last: u64,
    ) -> Answer<Vec<wire::StoredMessage>> {
        let conversation_id = Bytes::copy_from_slice(&conversation.to_bytes());
        let mut client = self.client(cell)?;
        Ok(within(client.history(wire::HistoryRequest { conversation_id, first, last })).await?.messages)
    }

    pub async fn members(&self, cell: CellId, request: wire::MembersRequest) -> Answer<wire::MembersReply> {
        let mut client = self.client(cell)?;
        within(client.members(request)).await
    }

    pub async fn standing(&self, cell: CellId, request: wire::StandingRequest) -> Answer<wire::StandingReply> {
        let mut client = self.client(cell)?;
        within(client.standing(request)).await
    }

    pub async fn link(&self, cell: CellId, by: wire::link_request::By) -> Answer<wire::LinkReply> {
        let mut client = self.client(cell)?;
        within(client.link(wire::LinkRequest { by: Some(by) })).await
    }

    /// A step of the claims of imported accounts.
    pub async fn claims(&self, cell: CellId, step: ClaimStep, owners: &[(String, UserId)]) -> Claimed {
        let owner = |(email, user): &(String, UserId)| wire::EmailOwner { email: email.clone(), user_id: id(user) };
        let owners = wire::EmailOwners { owners: owners.iter().map(owner).collect() };
        let mut client = OperatorClient::new(self.way(cell)?);
        let claims = match step {
            ClaimStep::Claim => within(client.claim_emails(owners)).await?.claims,
            ClaimStep::Activate => within(client.activate_emails(owners)).await.map(|_| Vec::new())?,
            ClaimStep::Release => within(client.release_emails(owners)).await.map(|_| Vec::new())?,
        };
        let stand = |claim: wire::ClaimEmailReply| match (claim.taken, claim.in_progress) {
            (true, _) => ClaimStand::Taken,
            (false, true) => ClaimStand::Pending,
            (false, false) => ClaimStand::Theirs,
        };
        Ok(claims.into_iter().map(stand).collect())
    }

    fn client(&self, cell: CellId) -> Answer<PeerClient<Way>> {
        Ok(PeerClient::new(self.way(cell)?))
    }

    fn way(&self, cell: CellId) -> Answer<Way> {
        let map = self.map.current();
        let entry = map.cells.get(&cell).ok_or_else(|| unavailable("the cell that has this is not known yet"))?;
        let mut channels = self.channels.lock();
        let channel = match channels.get(&entry.relay_address) {
            Some(channel) => channel.clone(),
            None => {
                let endpoint = self
                    .inside
                    .endpoint(&entry.relay_address)
                    .map_err(|_| unavailable("the cell that has this gave no usable address"))?
                    .tcp_nodelay(true)
                    .connect_timeout(Duration::from_secs(2));
                let channel = self.inside.channel(&endpoint);
                channels.insert(entry.relay_address.clone(), channel.clone());
                channel
            }
        };
        Ok(InterceptedService::new(channel, Asking(self.inside.proof().clone())))
    }
}

impl Interceptor for Asking {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        self.0.call(request).and_then(trace::name)
    }
}

async fn within<T>(call: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Answer<T> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(refusal_of(&status)),
        Err(_) => Err(unavailable("another cell does not answer at the moment; trying again is safe")),
    }
}

/// Refusals travel as `code: detail` in a status; anything else means that the cell could not be asked.
fn refusal_of(status: &Status) -> Refusal {
    if status.code() == tonic::Code::FailedPrecondition
        && let Some((code, detail)) = status.message().split_once(": ")
        && let Some(code) = Code::ALL.iter().find(|c| c.as_str() == code)
    {
        return Refusal::new(*code, detail);
    }
    if status.code() == tonic::Code::Unauthenticated
        && let Some(times) = REFUSED.happened()
    {
        tracing::error!(reason = status.message(), times, "another cell refuses this one");
    }
    tracing::debug!(%status, "another cell could not be asked");
    unavailable("another cell does not answer at the moment; trying again is safe")
}

fn id(user: &UserId) -> Bytes {
    Bytes::copy_from_slice(&user.to_bytes())
}
