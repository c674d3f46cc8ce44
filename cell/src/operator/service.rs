//! The gRPC service.

use std::sync::Arc;

use skep_protocol::{Refusal, UserId, wire};
use tonic::{Request, Response, Status};
use wire::{change_user_request::Change, import_outcome::Outcome};

use super::{
    accounts::{self, AccountChange},
    claims::{ClaimStep, claims_here},
    conversations, report,
};
use crate::{accounts::ClaimStand, context::Context};

/// What operators ask.
pub struct OperatorService(pub Arc<Context>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl wire::operator_server::Operator for OperatorService {
    async fn report(&self, _: Request<wire::ReportRequest>) -> Answer<wire::CellReport> {
        Ok(Response::new(report::report(&self.0).await))
    }

    async fn show_user(&self, request: Request<wire::ShowUserRequest>) -> Answer<wire::UserReport> {
        let by = request.into_inner().by.ok_or_else(|| Status::invalid_argument("whom?"))?;
        answer(accounts::show(&self.0, by).await)
    }

    async fn change_user(&self, request: Request<wire::ChangeUserRequest>) -> Answer<wire::UserChanged> {
        let request = request.into_inner();
        let user = UserId::from_bytes(&request.user_id).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let change = match request.change {
            Some(Change::Disable(_)) => AccountChange::Disable,
            Some(Change::Enable(_)) => AccountChange::Enable,
            Some(Change::EndSessions(_)) => AccountChange::EndSessions,
            Some(Change::Password(password)) => AccountChange::Password(password),
            None => return Err(Status::invalid_argument("what is to be changed?")),
        };
        let ended = accounts::change(&self.0, user, change).await;
        answer(ended.map(|sessions_ended| wire::UserChanged { sessions_ended }))
    }

    async fn find_usernames(&self, request: Request<wire::FindUsernamesRequest>) -> Answer<wire::FindUsernamesReply> {
        let users = accounts::find_usernames(&self.0, &request.into_inner().usernames).await;
        answer(users.map(|users| wire::FindUsernamesReply { users }))
    }

    async fn import_accounts(&self, request: Request<wire::ImportAccountsRequest>) -> Answer<wire::ImportReply> {
        answer(accounts::import(&self.0, request.into_inner()).await.map(reply))
    }

    async fn import_conversations(
        &self,
        request: Request<wire::ImportConversationsRequest>,
    ) -> Answer<wire::ImportReply> {
        answer(conversations::import(&self.0, request.into_inner().conversations).await.map(reply))
    }

    async fn import_members(&self, request: Request<wire::ImportMembersRequest>) -> Answer<wire::ImportMembersReply> {
        answer(conversations::add(&self.0, request.get_ref()).await)
    }

    async fn claim_emails(&self, request: Request<wire::EmailOwners>) -> Answer<wire::ClaimEmailsReply> {
        let stands = claims_here(&self.0, ClaimStep::Claim, &owners(request.get_ref())?).await;
        let claim = |stand| wire::ClaimEmailReply {
            taken: stand == ClaimStand::Taken,
            in_progress: stand == ClaimStand::Pending,
        };
        answer(stands.map(|stands| wire::ClaimEmailsReply { claims: stands.into_iter().map(claim).collect() }))
    }

    async fn activate_emails(&self, request: Request<wire::EmailOwners>) -> Answer<wire::Done> {
        let done = claims_here(&self.0, ClaimStep::Activate, &owners(request.get_ref())?).await;
        answer(done.map(|_| wire::Done {}))
    }

    async fn release_emails(&self, request: Request<wire::EmailOwners>) -> Answer<wire::Done> {
        let done = claims_here(&self.0, ClaimStep::Release, &owners(request.get_ref())?).await;
        answer(done.map(|_| wire::Done {}))
    }
}

fn owners(request: &wire::EmailOwners) -> Result<Vec<(String, UserId)>, Status> {
    let owner = |owner: &wire::EmailOwner| Ok((owner.email.clone(), UserId::from_bytes(&owner.user_id)?));
    let owners: Result<_, skep_protocol::IdError> = request.owners.iter().map(owner).collect();
    owners.map_err(|e| Status::invalid_argument(e.to_string()))
}

fn reply(outcomes: Vec<Outcome>) -> wire::ImportReply {
    let outcome = |outcome| wire::ImportOutcome { outcome: Some(outcome) };
    wire::ImportReply { outcomes: outcomes.into_iter().map(outcome).collect() }
}

fn answer<T>(answer: Result<T, Refusal>) -> Answer<T> {
    answer.map(Response::new).map_err(refuse)
}

fn refuse(refusal: Refusal) -> Status {
    Status::failed_precondition(format!("{}: {}", refusal.code, refusal.detail))
}
