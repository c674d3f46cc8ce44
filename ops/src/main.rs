//! The `skep` program.

/// glibc's allocator keeps what a password hash took (19 MiB) per thread: 700 MiB in a cell after a thousand sign-ups.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    skep_ops::main()
}
