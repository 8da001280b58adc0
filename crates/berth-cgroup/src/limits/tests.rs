//! Which files each limit writes, on v1 and on v2.

#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::HashMap;

use serde_json::json;

use super::*;

/// A cgroup that has these files.
#[derive(Default)]
struct Fake {
    old: bool,
    files: HashMap<&'static str, &'static str>,
}

impl Facts for Fake {
    fn is_new(&self) -> bool {
        !self.old
    }

    fn has(&self, _: &str, file: &str) -> bool {
        self.files.contains_key(file)
    }

    fn read(&self, _: &str, file: &str) -> Option<String> {
        self.files.get(file).map(|text| (*text).to_owned())
    }
}

fn resources(json: serde_json::Value) -> LinuxResources {
    serde_json::from_value(json).unwrap()
}

fn lines(steps: Vec<Step>) -> Vec<String> {
    let line = |step: Step| match step {
        Ok(setting) => format!("{} {}", setting.file, setting.value),
        Err(error) => error.to_string(),
    };
    steps.into_iter().map(line).collect()
}

fn v1(json: serde_json::Value, facts: &Fake) -> Vec<String> {
    lines(plan_v1(&resources(json), facts).unwrap())
}

fn v2(json: serde_json::Value, facts: &Fake) -> Vec<String> {
    lines(plan_v2(&resources(json), facts).unwrap())
}

#[test]
fn nothing_asked_is_nothing_written() {
    let zero = json!({
        "memory": {"limit": 0, "swap": 0, "reservation": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": ""},
        "pids": {"limit": 0}, "blockIO": {"weight": 0}, "network": {"classID": 0}, "unified": {},
    });
    for asked in [json!({}), zero] {
        assert_eq!(v1(asked.clone(), &Fake::default()), [""; 0]);
        assert_eq!(v2(asked, &Fake::default()), [""; 0]);
    }
}

#[test]
fn memory_and_swap_in_the_order_the_kernel_takes_them() {
    let asked = || json!({"memory": {"limit": 100, "swap": 200}});
    let (memory, both) = ("memory.limit_in_bytes 100", "memory.memsw.limit_in_bytes 200");
    assert_eq!(v1(asked(), &Fake::default()), [memory, both]);
    let now = |limit| Fake { old: true, files: HashMap::from([("memory.limit_in_bytes", limit)]) };
    assert_eq!(v1(asked(), &now("50\n")), [both, memory]);
    assert_eq!(v1(asked(), &now("300\n")), [memory, both]);
    assert_eq!(
        v1(json!({"memory": {"limit": -1}}), &now("300\n")),
        ["memory.memsw.limit_in_bytes -1", "memory.limit_in_bytes -1"]
    );
}

#[test]
fn block_io() {
    let asked = || {
        json!({"blockIO": {
            "weight": 1000, "weightDevice": [{"major": 8, "minor": 1, "weight": 10}],
            "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 0}],
        }})
    };
    let throttle = "blkio.throttle.write_iops_device 8:0 0";
    assert_eq!(v1(asked(), &Fake::default()), ["blkio.weight 1000", "blkio.weight_device 8:1 10", throttle]);
    let bfq =
        Fake { old: false, files: HashMap::from([("blkio.bfq.weight", "100"), ("io.bfq.weight", "default 100")]) };
    assert_eq!(v1(asked(), &bfq), ["blkio.bfq.weight 1000", "blkio.bfq.weight_device 8:1 10", throttle]);
    let lifted = "io.max 8:0 wiops=max";
    assert_eq!(v2(asked(), &Fake::default()), ["io.weight default 10000", "io.weight 8:1 1", lifted]);
    assert_eq!(v2(asked(), &bfq), ["io.bfq.weight default 1000", "io.bfq.weight 8:1 10", lifted]);
}

#[test]
fn huge_pages_rdma_and_network() {
    let asked = || {
        json!({
            "hugepageLimits": [{"pageSize": "2MB", "limit": 4096}], "rdma": {"mlx5": {"hcaHandles": 3}},
            "network": {"classID": 1_048_577, "priorities": [{"name": "eth0", "priority": 5}]},
        })
    };
    assert_eq!(
        v1(asked(), &Fake::default()),
        [
            "hugetlb.2MB.limit_in_bytes 4096",
            "hugetlb.2MB.rsvd.limit_in_bytes 4096",
            "rdma.max mlx5 hca_handle=3 hca_object=max",
            "net_cls.classid 1048577",
            "net_prio.ifpriomap eth0 5",
        ]
    );
    assert_eq!(
        v2(asked(), &Fake::default()),
        [
            "hugetlb.2MB.max 4096",
            "hugetlb.2MB.rsvd.max 4096",
            "rdma.max mlx5 hca_handle=3 hca_object=max",
            "a network class cannot be set with cgroup v2",
            "a network priority cannot be set with cgroup v2",
        ]
    );
}

#[test]
fn an_idle_group_keeps_its_weight() {
    let asked = || json!({"cpu": {"shares": 2048, "idle": 1}});
    assert_eq!(v1(asked(), &Fake::default()), ["cpu.idle 1"]);
    assert_eq!(v2(asked(), &Fake::default()), ["cpu.idle 1"]);
}

#[test]
fn shares_as_weight() {
    let weights = [1, 2, 3, 512, 1024, 2048, 10_240, 262_144, u64::MAX].map(v2::cpu_weight);
    assert_eq!(weights[..2], [1, 1]);
    assert_eq!((weights[4], weights[7], weights[8]), (100, 10_000, 10_000));
    assert!(weights.is_sorted());
}

#[test]
fn what_is_not_given_keeps_what_holds() {
    let now = Fake { old: true, files: HashMap::from([("cpu.max", "5000 100000\n")]) };
    assert_eq!(v2(json!({"cpu": {"period": 20000}}), &now), ["cpu.max 5000 20000"]);
    assert_eq!(v2(json!({"cpu": {"quota": -1}}), &now), ["cpu.max max 100000"]);
    assert_eq!(v2(json!({"cpu": {"quota": 7000}}), &Fake::default()), ["cpu.max 7000 100000"]);
}

#[test]
fn memory_in_use_on_v2() {
    let now = Fake { old: true, files: HashMap::from([("memory.current", "5000\n")]) };
    let asked = resources(json!({"memory": {"limit": 4000, "checkBeforeUpdate": true}}));
    let error = plan_v2(&asked, &now).err().unwrap().to_string();
    assert_eq!(error, "a memory limit cannot be 4000: 5000 bytes are in use");
}
