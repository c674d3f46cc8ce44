//! `skep-sim`: loads a deployment and audits what came of it.

fn main() -> std::process::ExitCode {
    skep_sim::main()
}
