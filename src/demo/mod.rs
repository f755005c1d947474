//! x
use crate::{app::*, config::*};
use std::future::Future;
/// x
#[derive(Debug, Clone, clap::Args)]
pub struct DemoConfig {}
/// x
/// # Errors
/// x
pub async fn run(
    _: DemoConfig,
    _: HouseConfig,
    _: ClientConfig,
    _: impl Future<Output = ()>,
) -> Result<(), Failure> {
    Ok(())
}
