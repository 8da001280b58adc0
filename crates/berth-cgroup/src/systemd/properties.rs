//! The properties of a scope (systemd.resource-control(5), org.freedesktop.systemd1(5)).

use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxThrottleDevice};
use zbus::Variant;

use super::Request;
use crate::limits::{cpu_weight, io_weight};

pub(crate) type Property = (&'static str, Variant<'static>);

const INFINITY: u64 = u64::MAX;

fn property<T: Into<Variant<'static>>>(name: &'static str, value: T) -> Property {
    (name, value.into())
}

/// What makes it a scope of ours.
pub(crate) fn of_scope(unit: &str, slice: &str, pid: i32) -> Vec<Property> {
    let mut all = vec![
        property("Description", format!("berth container {unit}")),
        property("Slice", slice.to_owned()),
        property("Delegate", true),
        property("DefaultDependencies", false),
        property("PIDs", vec![pid.cast_unsigned()]),
    ];
    all.extend(
        ["MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting"].map(|name| property(name, true)),
    );
    all
}

/// The limits systemd knows; the others are written to files only. `without` is a limit on processes to leave out.
pub(crate) fn of_limits(request: &Request<'_>, without: Option<i64>) -> Vec<Property> {
    let mut all = Vec::new();
    let resources = request.resources;
    if let Some(memory) = resources.memory() {
        all.extend(self::memory(memory, request.unified));
    }
    if let Some(cpu) = resources.cpu() {
        all.extend(self::cpu(cpu, request.unified));
    }
    if let Some(pids) = resources.pids().filter(|pids| pids.limit() != 0 && Some(pids.limit()) != without) {
        all.push(property("TasksMax", or_infinity(pids.limit())));
    }
    if let Some(io) = resources.block_io() {
        all.extend(block_io(io, request.unified));
    }
    all
}

fn or_infinity(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(INFINITY)
}

fn memory(memory: &LinuxMemory, unified: bool) -> Vec<Property> {
    let limit = memory.limit().filter(|limit| *limit != 0);
    if !unified {
        return limit.map(|limit| property("MemoryLimit", or_infinity(limit))).into_iter().collect();
    }
    let mut all: Vec<Property> = limit.map(|limit| property("MemoryMax", or_infinity(limit))).into_iter().collect();
    let low = memory.reservation().filter(|low| *low != 0);
    all.extend(low.map(|low| property("MemoryLow", or_infinity(low))));
    let swap = match (memory.swap().filter(|swap| *swap != 0), limit) {
        (Some(swap), _) if swap < 0 => Some(INFINITY),
        (Some(swap), Some(limit)) if limit > 0 => u64::try_from(swap - limit).ok(),
        _ => None,
    };
    all.extend(swap.map(|swap| property("MemorySwapMax", swap)));
    all
}

fn cpu(cpu: &LinuxCpu, unified: bool) -> Vec<Property> {
    let shares = cpu.shares().filter(|shares| *shares != 0);
    let mut all: Vec<Property> = match (shares, unified) {
        (Some(shares), true) => vec![property("CPUWeight", cpu_weight(shares))],
        (Some(shares), false) => vec![property("CPUShares", shares)],
        (None, _) => Vec::new(),
    };
    let period = cpu.period().filter(|period| *period != 0);
    all.extend(period.map(|period| property("CPUQuotaPeriodUSec", period)));
    if let Some(quota) = cpu.quota().filter(|quota| *quota != 0) {
        all.push(property("CPUQuotaPerSecUSec", per_second(quota, period.unwrap_or(100_000))));
    }
    all
}

/// A quota a period as one a second; systemd keeps whole hundredths only, and less than asked would be wrong.
fn per_second(quota: i64, period: u64) -> u64 {
    const HUNDREDTH: u64 = 10_000;
    u64::try_from(quota).map_or(INFINITY, |quota| (quota * 1_000_000).div_ceil(period).next_multiple_of(HUNDREDTH))
}

fn block_io(io: &LinuxBlockIo, unified: bool) -> Vec<Property> {
    let weight = io.weight().filter(|weight| *weight != 0);
    if !unified {
        return weight.map(|weight| property("BlockIOWeight", u64::from(weight))).into_iter().collect();
    }
    let mut all: Vec<Property> = weight.map(|weight| property("IOWeight", io_weight(weight))).into_iter().collect();
    for (name, devices) in [
        ("IOReadBandwidthMax", io.throttle_read_bps_device()),
        ("IOWriteBandwidthMax", io.throttle_write_bps_device()),
        ("IOReadIOPSMax", io.throttle_read_iops_device()),
        ("IOWriteIOPSMax", io.throttle_write_iops_device()),
    ] {
        let line = |device: &LinuxThrottleDevice| {
            let rate = if device.rate() == 0 { INFINITY } else { device.rate() };
            (format!("/dev/block/{}:{}", device.major(), device.minor()), rate)
        };
        let lines: Vec<(String, u64)> = devices.iter().flatten().map(line).collect();
        if !lines.is_empty() {
            all.push(property(name, lines));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas() {
        assert_eq!(per_second(50_000, 100_000), 500_000);
        assert_eq!(per_second(33_333, 100_000), 340_000);
        assert_eq!(per_second(-1, 100_000), INFINITY);
    }
}
