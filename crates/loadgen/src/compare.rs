//! Servers side by side.
use crate::error::Error;
use clap::Args;
#[derive(Args)]
pub(crate) struct Arguments {}
pub(crate) fn run(_: &Arguments) -> Result<bool, Error> {
    Ok(true)
}
