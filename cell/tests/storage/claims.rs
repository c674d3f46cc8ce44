use std::sync::Arc;

use skep_cell::accounts::{Accounts, ClaimOutcome, NewAccount, NotMade, Settled};
use skep_protocol::{Millis, UserId};

use crate::fixture::*;

const EMAIL: &str = "anna@example.org";

fn account(user_id: UserId, username: &str) -> NewAccount {
    NewAccount {
        user_id,
        username: username.to_owned(),
        display_name: "Anna B".to_owned(),
        email: EMAIL.to_owned(),
        password_hash: "no hash".to_owned(),
        image: None,
        created_at: Millis(1),
    }
}

#[tokio::test]
async fn a_claim_is_one_persons_until_it_is_settled() {
    let world = World::new().await;
    let accounts = Accounts::new(Arc::clone(&world.shard));
    let (anna, ben) = (user(1), user(2));
    assert_eq!(accounts.claim_email(EMAIL, anna).await.unwrap(), ClaimOutcome::Claimed);
    assert_eq!(accounts.claim_email(EMAIL, anna).await.unwrap(), ClaimOutcome::Claimed, "asked once more");
    assert_eq!(accounts.claim_email(EMAIL, ben).await.unwrap(), ClaimOutcome::Pending(anna));
    // Only whoever has it changes it.
    accounts.release_email(EMAIL, ben).await.unwrap();
    accounts.activate_email(EMAIL, ben).await.unwrap();
    assert_eq!(accounts.email_holder(EMAIL).await.unwrap(), Some((anna, false)));
    accounts.activate_email(EMAIL, anna).await.unwrap();
    assert_eq!(accounts.claim_email(EMAIL, ben).await.unwrap(), ClaimOutcome::Taken);
    accounts.release_email(EMAIL, anna).await.unwrap();
    assert_eq!(accounts.email_holder(EMAIL).await.unwrap(), Some((anna, true)), "an active one stays");
}

#[tokio::test]
async fn of_an_account_and_its_tombstone_one_stands() {
    let world = World::new().await;
    let accounts = Arc::new(Accounts::new(Arc::clone(&world.shard)));
    // Under way in this process: nothing is decided.
    let under_way = accounts.begin_sign_up(user(1));
    assert_eq!(accounts.settle(user(1)).await.unwrap(), Settled::InProgress);
    drop(under_way);
    // Asked about before it is made: it never is.
    assert_eq!(accounts.settle(user(1)).await.unwrap(), Settled::No);
    assert!(matches!(accounts.create(&account(user(1), "anna"), None).await, Err(NotMade::GivenUp)));
    assert_eq!(accounts.settle(user(1)).await.unwrap(), Settled::No);
    // Made before it is asked about: it stands.
    accounts.create(&account(user(2), "anna"), None).await.unwrap();
    assert_eq!(accounts.settle(user(2)).await.unwrap(), Settled::Exists);
    assert!(matches!(accounts.create(&account(user(3), "anna"), None).await, Err(NotMade::UsernameTaken)));
    assert_eq!(accounts.settle(user(3)).await.unwrap(), Settled::No, "the name was another's");
    // Both at once, many times.
    for number in 10..60 {
        let asked = tokio::spawn({
            let accounts = Arc::clone(&accounts);
            async move { accounts.settle(user(number)).await.unwrap() }
        });
        let made = accounts.create(&account(user(number), &format!("name{number}")), None).await;
        let expected = if made.is_ok() { Settled::Exists } else { Settled::No };
        assert_eq!(asked.await.unwrap(), expected);
        assert_eq!(accounts.settle(user(number)).await.unwrap(), expected, "for good");
    }
}

#[tokio::test]
async fn old_pending_claims_are_found_page_by_page() {
    let world = World::new().await;
    let accounts = Accounts::new(Arc::clone(&world.shard));
    for number in 0..7 {
        accounts.claim_email(&format!("{number}@example.org"), user(number)).await.unwrap();
    }
    accounts.activate_email("3@example.org", user(3)).await.unwrap();
    world.run("UPDATE email_claims SET claimed_at_ms = 5 WHERE email >= '2'").await;
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = accounts.pending_claims(Millis(6), after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        found.extend(page.into_iter().map(|claim| (claim.email, claim.user)));
    }
    let expected: Vec<_> = [2, 4, 5, 6].map(|n| (format!("{n}@example.org"), user(n))).into();
    assert_eq!(found, expected, "young ones and active ones are left alone");
}
