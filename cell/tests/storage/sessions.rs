use std::sync::Arc;

use skep_cell::accounts::ending::{Done, PasswordChange};
use skep_cell::accounts::{Accounts, NewAccount, NewSession};
use skep_core::fanout::Sessions;
use skep_protocol::{Code, Millis, SessionId, UserId};

use crate::fixture::*;

const HASH: &str = "a hash";

async fn with_anna(world: &World) -> (Arc<Accounts>, UserId) {
    let accounts = Accounts::new(Arc::clone(&world.shard));
    let account = NewAccount {
        user_id: user(1),
        username: "anna".to_owned(),
        display_name: "Anna B".to_owned(),
        email: "anna@example.org".to_owned(),
        password_hash: HASH.to_owned(),
        image: None,
        created_at: Millis(1),
    };
    accounts.create(&account, None).await.unwrap();
    (Arc::new(accounts), user(1))
}

async fn log_in(accounts: &Accounts, user: UserId, hash: &str) -> Option<NewSession> {
    accounts.log_in(user, hash, None).await.unwrap().map(|(session, _)| session)
}

async fn is_good(accounts: &Accounts, session: &NewSession) -> bool {
    match accounts.authenticate(&session.token).await {
        Ok((id, _)) => id == session.session_id,
        Err(refusal) if refusal.code == Code::Unauthenticated => false,
        Err(refusal) => panic!("{refusal}"),
    }
}

fn change(from: &str, to: &str) -> PasswordChange {
    PasswordChange { from: from.to_owned(), to: to.to_owned() }
}

#[tokio::test]
async fn who_is_shut_out_is_known_no_longer_not_even_from_memory() {
    let world = World::new().await;
    let (accounts, anna) = with_anna(&world).await;
    for (what, hash) in [("disabled", HASH), ("reset", HASH), ("ended", "another")] {
        let sessions = [log_in(&accounts, anna, hash).await.unwrap(), log_in(&accounts, anna, hash).await.unwrap()];
        assert!(is_good(&accounts, &sessions[0]).await, "one is known from memory, the other is not");
        let done = match what {
            "disabled" => accounts.disable(anna).await.unwrap(),
            "reset" => accounts.reset_password(anna, "another").await.unwrap(),
            _ => accounts.revoke_all(anna).await.unwrap(),
        };
        assert_eq!(done, Done::Yes);
        accounts.forget(anna, Sessions::All);
        for session in &sessions {
            assert!(!is_good(&accounts, session).await, "{what}");
        }
        assert_eq!(log_in(&accounts, anna, hash).await.is_none(), what != "ended", "{what}");
        accounts.enable(anna).await.unwrap();
        for session in &sessions {
            assert!(!is_good(&accounts, session).await, "{what}: enabling brings nobody back");
        }
    }
    for nobody in [
        accounts.disable(user(9)).await,
        accounts.enable(user(9)).await,
        accounts.reset_password(user(9), "x").await,
        accounts.revoke_all(user(9)).await,
        accounts.revoke(user(9), SessionId::new(user(9), 1)).await,
    ] {
        assert_eq!(nobody.unwrap(), Done::NothingThere);
    }
}

#[tokio::test]
async fn a_password_changes_once_from_a_living_session() {
    let world = World::new().await;
    let (accounts, anna) = with_anna(&world).await;
    let one = log_in(&accounts, anna, HASH).await.unwrap();
    let other = log_in(&accounts, anna, HASH).await.unwrap();
    // Two that were both found right: the second of them is not, any more.
    let to = |to: &str, session: &NewSession| {
        let (accounts, change, id) = (Arc::clone(&accounts), change(HASH, to), session.session_id);
        async move { accounts.change_password(anna, &change, id).await.unwrap() }
    };
    assert_eq!(to("new", &one).await, Done::Yes);
    accounts.forget(anna, Sessions::AllBut(one.session_id));
    assert_eq!(to("newer", &other).await, Done::NothingThere);
    assert!(is_good(&accounts, &one).await && !is_good(&accounts, &other).await);
    let ended = accounts.change_password(anna, &change("new", "newer"), other.session_id).await.unwrap();
    assert_eq!(ended, Done::NothingThere, "an ended session changes nothing");
    assert!(log_in(&accounts, anna, HASH).await.is_none() && log_in(&accounts, anna, "new").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_races_with_a_first_use_wins() {
    let world = World::new().await;
    let (accounts, anna) = with_anna(&world).await;
    for _ in 0..40 {
        let session = Arc::new(log_in(&accounts, anna, HASH).await.unwrap());
        let uses: Vec<_> = (0..8)
            .map(|_| {
                let (accounts, session) = (Arc::clone(&accounts), Arc::clone(&session));
                tokio::spawn(async move { is_good(&accounts, &session).await })
            })
            .collect();
        assert_eq!(accounts.revoke(anna, session.session_id).await.unwrap(), Done::Yes);
        accounts.forget(anna, Sessions::One(session.session_id));
        let after = is_good(&accounts, &session).await;
        for used in uses {
            used.await.unwrap();
        }
        assert!(!after && !is_good(&accounts, &session).await, "what was loaded before is not kept");
    }
}
