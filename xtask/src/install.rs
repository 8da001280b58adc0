//! What the tests need besides Rust: Debian packages and a Python environment.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::root;

/// Real peers, clients, registries and image sources; nothing that berth itself needs to run.
const PACKAGES: [&str; 22] = [
    "buildah",
    "busybox-static",
    "bzip2",
    "conntrack",
    "crun",
    "debootstrap",
    "docker-compose",
    "docker-registry",
    "docker.io",
    "gcc",
    "iproute2",
    "nftables",
    "openssl",
    "podman",
    "python3-venv",
    "runc",
    "skopeo",
    "tmux",
    "umoci",
    "util-linux",
    "xz-utils",
    "zstd",
];

/// Installs what is missing, and only that.
pub(crate) fn run() -> Result<()> {
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|package| !installed(package)).collect();
    if !missing.is_empty() {
        run_apt(&["update", "-qq"])?;
        run_apt(&[&["install", "-y", "-qq", "--no-install-recommends"], missing.as_slice()].concat())?;
    }
    python()
}

fn installed(package: &str) -> bool {
    let query = Command::new("dpkg-query").args(["-W", "-f=${Status}", package]).stderr(Stdio::null()).output();
    query.is_ok_and(|output| output.stdout.ends_with(b" installed"))
}

/// Services that a package would start are told not to: the tests start their own.
fn run_apt(args: &[&str]) -> Result<()> {
    let prefix = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get"];
    crate::run("env", &[&prefix[..], args].concat())
}

/// Docker's Python SDK, in an environment below `target`.
fn python() -> Result<()> {
    let environment = root().join("target/python");
    let path = environment.to_string_lossy();
    if !environment.join("bin/pip").exists() {
        crate::run("python3", &["-m", "venv", &path])?;
    }
    crate::run(&format!("{path}/bin/pip"), &["install", "--quiet", "docker>=7"])
}
