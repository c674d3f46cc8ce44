//! Builds that are broken on purpose are found, each by a checker of the invariant that it breaks.

use std::ops::Range;

use skep_world::{Mutant, Plan, Trace, World};

/// Runs worlds with a mutant until it is caught: within these seeds, and by one of these invariants.
fn is_caught(mutant: Mutant, seeds: Range<u64>, by: &[&str]) {
    for seed in seeds.clone() {
        let outcome = World::new(Plan::of(seed).with(Some(mutant)), Trace::Off).run();
        if let Some(violation) = &outcome.violation {
            let again = outcome.replay();
            assert!(by.contains(&violation.invariant), "{mutant:?} was caught by {violation}\n  again: {again}");
            println!("{mutant:?}: seed {seed}: {violation}\n  again: {again}");
            return;
        }
    }
    panic!("{mutant:?} went through worlds {seeds:?} unseen");
}

#[test]
fn an_answer_before_the_commit_is_caught() {
    is_caught(Mutant::AnswersBeforeCommit, 0..10, &["I1"]);
}

#[test]
fn one_change_in_a_thousand_dropped_unseen_is_caught() {
    is_caught(Mutant::DroppedChange, 0..400, &["I5", "I6"]);
}

#[test]
fn a_sync_without_barrier_is_caught() {
    is_caught(Mutant::NoSyncBarrier, 0..100, &["I5", "I6"]);
}

#[test]
fn a_mark_before_its_change_is_caught() {
    is_caught(Mutant::MarkBeforeChange, 0..150, &["I5", "I6"]);
}

#[test]
fn rows_taken_whatever_their_version_are_caught() {
    is_caught(Mutant::NoRowVersion, 0..200, &["I4"]);
}

#[test]
fn a_token_from_before_a_loss_that_holds_is_caught() {
    is_caught(Mutant::OldTokensHold, 0..100, &["contract", "I5"]);
}

#[test]
fn a_replay_that_leaves_out_rows_which_move_is_caught() {
    is_caught(Mutant::NoRowsBeyondReplay, 100..600, &["I4"]);
}
