//! The `skep` program, built with the tests so that they run what they were compiled with.

fn main() -> std::process::ExitCode {
    skep_ops::main()
}
