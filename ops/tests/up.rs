//! `skep up` as people use it: one cell, real databases.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "up/fixture.rs"]
mod fixture;

use std::net::TcpListener;

use fixture::{Up, is_running, pids, wait_until};
use nix::sys::signal::Signal;

#[test]
fn a_stop_leaves_no_process_and_keeps_what_was_stored() {
    let mut up = Up::start();
    let first = up.ready();
    assert!(pids(&first).into_iter().all(is_running));
    assert_eq!(first.cells.len(), 1);
    up.sql(&first.cells[0].postgres.conninfo, "create table kept as select 1");

    let (code, output) = up.stop(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("Skep is ready"), "{output}");
    assert_eq!(pids(&first).into_iter().filter(|pid| is_running(*pid)).count(), 0);
    assert!(!up.folder().join("deployment.json").exists());

    up.again();
    let second = up.ready();
    up.sql(&second.cells[0].postgres.conninfo, "select * from kept");
    assert_eq!(up.stop(Signal::SIGINT).0, Some(0));
}

#[test]
fn what_dies_is_started_again_alone() {
    let up = Up::start();
    let first = up.ready();
    let killed = [
        first.cells[0].pid,
        first.router.pid,
        first.directory.pid,
        first.cells[0].redis.pid,
        first.cells[0].postgres.pid,
        first.directory.postgres.pid,
    ];
    for pid in killed {
        let before = up.ready();
        fixture::kill(pid, Signal::SIGKILL);
        wait_until("another process has the place", || {
            let now = pids(&up.ready());
            !now.contains(&pid) && now.into_iter().all(is_running)
        });
        let now = up.ready();
        let unchanged = pids(&before).into_iter().filter(|pid| pids(&now).contains(pid)).count();
        // The rest goes on, but for a cell or directory that could not bear to lose its database.
        assert!(unchanged >= pids(&before).len() - 2, "{before:?} became {now:?}");
        up.serves(&now);
    }
}

#[test]
fn a_start_over_what_a_kill_left_ends_it_and_works() {
    let mut up = Up::start();
    let first = up.ready();
    up.kill();
    assert!(pids(&first).into_iter().any(is_running), "a killed supervisor takes nobody along");
    up.again();
    let second = up.ready_after(&first);
    up.serves(&second);
    assert_eq!(pids(&first).into_iter().filter(|pid| is_running(*pid)).count(), 0);
    let (code, output) = up.stop(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(pids(&second).into_iter().filter(|pid| is_running(*pid)).count(), 0);
}

#[test]
fn two_at_once_other_cells_and_taken_ports_are_refused_with_the_reason() {
    let mut up = Up::start();
    up.ready();
    let (code, output) = up.beside(&[]);
    assert_eq!(code, Some(69));
    assert!(output.contains("another `skep up`"), "{output}");
    up.stop(Signal::SIGTERM);

    let (code, output) = up.beside(&["--cells", "2"]);
    assert_eq!(code, Some(64));
    assert!(output.contains("was made with 1 cells"), "{output}");

    let taken = TcpListener::bind(("127.0.0.1", up.router_port() + 11)).unwrap();
    let (code, output) = up.beside(&[]);
    assert_eq!(code, Some(69));
    assert!(
        output.contains(&format!("port {}", up.router_port() + 11)) && output.contains("--router-port"),
        "{output}"
    );
    drop(taken);
}
