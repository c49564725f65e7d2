//! placeholder
use crate::failure::Outcome;
use crate::options::Options;
/// x
pub fn run(_options: &Options) -> Outcome<()> {
    Ok(())
}
