//! A pull (under construction).
use crate::store::Inner;
use crate::{Error, PullEvent, Pulled, Result};
use berth_distribution::Credentials;
use berth_oci::{Platform, Reference};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Transfers;
impl Transfers {
    pub(crate) fn new(_: usize) -> Self {
        Self
    }
}
pub(crate) async fn pull(
    _: &Arc<Inner>,
    r: &Reference,
    _: Option<Platform>,
    _: Option<Credentials>,
    _: &(dyn Fn(PullEvent) + Send + Sync),
) -> Result<Pulled> {
    Err(Error::Unavailable(format!("{r}: pulls are not there yet")))
}
pub(crate) async fn remote_tags(_: &Arc<Inner>, r: &Reference, _: Option<Credentials>) -> Result<Vec<String>> {
    Err(Error::Unavailable(format!("{r}: pulls are not there yet")))
}
