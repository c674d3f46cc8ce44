//! `skep-world --seeds 1000`: many worlds. `skep-world --seed 42 --trace`: one, told line by line.

use clap::Parser;
use skep_world::{Mutant, Plan, Trace, World};

/// Runs simulated deployments and checks what must always hold.
#[derive(Parser, Debug)]
struct Arguments {
    /// Only this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Tells what happens.
    #[arg(long)]
    trace: bool,
    /// Goes on after a seed that fails.
    #[arg(long)]
    keep_going: bool,
    /// With a fault that the checkers must find.
    #[arg(long)]
    mutant: Option<Mutant>,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..seed + 1,
        None => arguments.from..arguments.from + arguments.seeds,
    };
    let trace = if arguments.trace { Trace::Out } else { Trace::Off };
    let (mut failed, mut run, mut messages) = (0_u64, 0_u64, 0_usize);
    for seed in seeds {
        let outcome = World::new(Plan::of(seed).with(arguments.mutant), trace).run();
        run += 1;
        messages += outcome.acknowledged;
        if let Some(violation) = &outcome.violation {
            failed += 1;
            println!("seed {seed}: {violation}");
            println!("  again: {}", outcome.replay());
            if !arguments.keep_going {
                break;
            }
        }
    }
    println!("{run} worlds, {messages} messages acknowledged, {failed} failed");
    if failed == 0 { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
