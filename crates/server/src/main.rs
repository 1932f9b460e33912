//! `lobby`: see [`lobby_server::cli`].

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Every message is a handful of small pieces of memory that one thread takes and another gives back, which the system's
/// allocator is slow at. This one, with its threads in the background, also gives back to the system what a crowd leaves behind.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    lobby_server::cli::main()
}
