//! `lobby-load`: see [`lobby_loadgen::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    lobby_loadgen::cli::main()
}
