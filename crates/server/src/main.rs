//! `lobby`: see [`lobby_server::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    lobby_server::cli::main()
}
