//! `skep up`: a whole deployment on one machine, each part a process, supervised.
//!
//! One thread per process starts it, watches it and starts it again; [`board::Board`] is what they all know. The main
//! thread shows the board and waits for a signal or for a part that cannot start.

mod backoff;
mod board;
mod folder;
mod layout;
mod logs;
mod options;
mod parts;
mod plan;
pub(crate) mod probe;
mod rates;
mod screen;
mod secret;
mod server;
mod signals;
mod supervise;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) use options::Options;

use crate::exit::Failure;
use board::Board;
use folder::Folder;
use parts::PartId;
use plan::Plan;
use screen::Screen;

/// How often the screen is drawn again, and the longest that a signal waits to be seen.
const FRAME: Duration = Duration::from_millis(100);

/// Runs everything until a signal, or until a part cannot start.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    options.check()?;
    // Before anything is started: what is started must be stopped.
    let interrupted = signals::watch()?;
    let folder = Folder::open(&options.data)?;
    let plan = Arc::new(Plan::make(&options, folder)?);
    let board = Arc::new(Board::new(&plan));
    let mut screen = Screen::new(&plan);
    let supervisors: Vec<(PartId, JoinHandle<()>)> = plan
        .parts()
        .into_iter()
        .map(|part| {
            let (plan, board) = (Arc::clone(&plan), Arc::clone(&board));
            (part, std::thread::spawn(move || supervise::supervise(part, &plan, &board)))
        })
        .collect();
    let rates = rates::watch(&plan, &board);

    let failure = loop {
        screen.draw(&board, &rates);
        if let Some(failure) = board.failure() {
            break Some(failure);
        }
        if interrupted.came_within(FRAME) {
            break None;
        }
    };

    stop(&board, &mut screen, supervisors);
    plan.folder.forget_deployment();
    failure.map_or(Ok(()), Err)
}

/// Stops from the outside in: who takes requests, then who answers them, then what they store.
fn stop(board: &Board, screen: &mut Screen, mut supervisors: Vec<(PartId, JoinHandle<()>)>) {
    for rank in parts::StopRank::ALL {
        board.stop(rank);
        while let Some(at) = supervisors.iter().position(|(part, _)| part.stop_rank() == rank) {
            let (_, supervisor) = supervisors.swap_remove(at);
            // A supervisor that panicked has said so; its server is ended when it is dropped.
            _ = supervisor.join();
        }
        screen.draw(board, &rates::Rates::default());
    }
    screen.farewell();
}
