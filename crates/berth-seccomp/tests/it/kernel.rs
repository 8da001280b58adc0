//! The kernel takes the filter and does as it says. The child is this test binary again, asked for one test by name.

use std::collections::BTreeSet;
use std::process::Command;

use berth_seccomp::{KernelVersion, Machine, compile, default_profile};
use rustix::io::Errno;

const CHILD: &str = "BERTH_SECCOMP_TEST_CHILD";

#[test]
fn the_default_filter_holds_in_a_child() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kernel::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("the filter holds"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Not a test of its own: it filters the thread it runs on.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let filter = compile(&default_profile().resolve(&BTreeSet::new(), Machine::host(), KernelVersion(6, 1))).unwrap();
    rustix::thread::set_no_new_privs(true).unwrap();
    berth_sys::seccomp::install(filter.program(), filter.flags()).unwrap();
    let refused = rustix::process::chroot("/").unwrap_err();
    assert_eq!(refused, Errno::PERM);
    let vsock = rustix::net::AddressFamily::VSOCK;
    assert_eq!(rustix::net::socket(vsock, rustix::net::SocketType::STREAM, None).unwrap_err(), Errno::PERM);
    assert!(rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).is_ok());
    let _ = std::fs::read("/proc/self/status").unwrap();
    println!("the filter holds");
}
