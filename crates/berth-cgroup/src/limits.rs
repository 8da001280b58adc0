//! From an OCI `LinuxResources` to writes: a pure plan for each version, and one function that carries it out.

mod apply;
mod v1;
mod v2;

use std::borrow::Cow;

use oci_spec::runtime::LinuxResources;

use crate::Error;

pub(crate) use apply::{apply, apply_leniently};
#[cfg(feature = "systemd")]
pub(crate) use v2::{cpu_weight, io_weight};

/// One write that sets a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The controller, by v1's name on v1 and v2's on v2.
    pub(crate) controller: &'static str,
    /// What users call it.
    pub(crate) limit: &'static str,
    pub(crate) file: Cow<'static, str>,
    pub(crate) value: String,
    /// Nothing is lost where the file is missing: the value is what holds without it.
    pub(crate) dispensable: bool,
}

/// What a plan may ask about the cgroup it is for.
pub(crate) trait Facts {
    /// Whether the cgroup is new, so that its values are the kernel's defaults.
    fn is_new(&self) -> bool;
    /// Whether a file of a controller is there.
    fn has(&self, controller: &str, file: &str) -> bool;
    /// What it says.
    fn read(&self, controller: &str, file: &str) -> Option<String>;
}

/// A step of a plan: a write, or a limit this version of cgroups does not know.
pub(crate) type Step = Result<Setting, Error>;

/// The steps for v1, in the order to take them.
pub(crate) fn plan_v1(resources: &LinuxResources, facts: &dyn Facts) -> Result<Vec<Step>, Error> {
    v1::plan(resources, facts)
}

/// The steps for v2.
pub(crate) fn plan_v2(resources: &LinuxResources, facts: &dyn Facts) -> Result<Vec<Step>, Error> {
    v2::plan(resources, facts)
}

/// A setting the host must have.
fn set(
    controller: &'static str,
    limit: &'static str,
    file: impl Into<Cow<'static, str>>,
    value: impl ToString,
) -> Step {
    Ok(Setting { controller, limit, file: file.into(), value: value.to_string(), dispensable: false })
}

fn or_nothing(step: Step, dispensable: bool) -> Step {
    step.map(|setting| Setting { dispensable, ..setting })
}

/// A limit that only the other version of cgroups has.
fn only_v1(limit: &'static str) -> Step {
    Err(Error::Version { limit, version: "v2" })
}

fn wrong(limit: &'static str, value: impl ToString, reason: impl Into<String>) -> Error {
    Error::Value { limit, value: value.to_string(), reason: reason.into() }
}

/// `max` for every way of saying that there is no limit.
fn or_max(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

/// A page size as the kernel spells it in file names (`2MB`); anything else could lead out of the directory.
fn page_size(size: &str) -> Result<&str, Error> {
    if !size.is_empty() && size.chars().all(|c| c.is_ascii_alphanumeric()) {
        Ok(size)
    } else {
        Err(wrong("a huge page size", format!("{size:?}"), "it must look like 2MB"))
    }
}

/// What stands in `rdma.max`, a line a device; the same on both versions.
fn rdma(resources: &LinuxResources) -> Vec<Step> {
    let devices = resources.rdma().iter().flatten();
    devices
        .map(|(device, limit)| {
            let value = |limit: Option<u32>| limit.map_or("max".to_owned(), |limit| limit.to_string());
            let line =
                format!("{device} hca_handle={} hca_object={}", value(limit.hca_handles()), value(limit.hca_objects()));
            set("rdma", "an RDMA limit", "rdma.max", line)
        })
        .collect()
}

#[cfg(test)]
mod tests;
