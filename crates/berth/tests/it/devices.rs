//! Devices in containers: by path, by rule, by specification.

use crate::host::{Cli, Host, Wishes};
use crate::resources::{fails, sh};

rows![devices_by_path, devices_by_rule, gpus_that_nobody_provides];

fn devices_by_path(host: &Host) {
    let list = |flags: &[&str], path: &str| {
        sh(host, flags, &format!("ls -l {path} | cut -c 1; cat /proc/self/cgroup > /dev/null"))
    };
    assert_eq!(list(&["--device", "/dev/loop-control"], "/dev/loop-control"), "c");
    assert_eq!(list(&["--device", "/dev/loop-control:/dev/mine"], "/dev/mine"), "c");
    assert_eq!(list(&["--device", "/dev/loop-control:/dev/mine:r"], "/dev/mine"), "c");
    let read = "(: < /dev/mine) && echo read; (: > /dev/mine) 2>/dev/null && echo written || echo refused";
    assert_eq!(sh(host, &["--device", "/dev/loop-control:/dev/mine:r"], read), "read\nrefused");
    let all = sh(host, &["--device", "/dev/net:/dev/mynet"], "ls /dev/mynet");
    assert!(all.contains("tun"), "{all}");
    fails(host, &["--device", "/dev/nosuch"]).fails_with(
        127,
        "error gathering device information while adding custom device \"/dev/nosuch\": no such file or directory",
    );
    fails(host, &["--device", "/etc/passwd"]).fails_with(125, "not a device node");
    fails(host, &["--device", "/dev/null:/dev/x:z"]).fails_with(125, "bad mode specified: z");
    let name = host.name("device");
    host.run(&["create", "--name", &name, "--device", "/dev/null:/dev/x:rw", &host.image()]);
    let template = "{{range .HostConfig.Devices}}{{.PathOnHost}} {{.PathInContainer}} {{.CgroupPermissions}}{{end}}";
    assert_eq!(host.inspect(&name, template), "/dev/null /dev/x rw");
    host.run(&["rm", &name]);
}

fn devices_by_rule(host: &Host) {
    // The loop devices' control is 10:237.
    let script = "mknod /dev/k c 10 237; (: < /dev/k) 2>/dev/null && echo opened || echo refused";
    assert_eq!(sh(host, &[], script), "refused");
    assert_eq!(sh(host, &["--device-cgroup-rule", "c 10:* rmw"], script), "opened");
    let name = host.name("rule");
    host.run(&["create", "--name", &name, "--device-cgroup-rule", "c 10:* rmw", &host.image()]);
    assert_eq!(host.inspect(&name, "{{.HostConfig.DeviceCgroupRules}}"), "[c 10:* rmw]");
    host.run(&["rm", &name]);
}

fn gpus_that_nobody_provides(host: &Host) {
    let done = fails(host, &["--gpus", "all"]);
    done.fails_with(125, "could not select device driver \"\" with capabilities: [[gpu]]");
    if host.is_berth() {
        fails(host, &["--device", "vendor.com/gpu=0"])
            .fails_with(125, "CDI device injection failed: unresolvable CDI devices vendor.com/gpu=0");
    }
}

const SPECIFICATION: &str = r#"
cdiVersion: "0.6.0"
kind: nvidia.com/gpu
containerEdits:
  env:
  - ALL_OF_THEM=yes
devices:
- name: "0"
  containerEdits:
    env: ["GPU=zero"]
    deviceNodes:
    - path: /dev/gpu0
      hostPath: /dev/loop-control
      permissions: rw
    mounts:
    - hostPath: DIRECTORY
      containerPath: /opt/driver
      options: [ro, nosuid]
    hooks:
    - hookName: createContainer
      path: /bin/sh
      args: [sh, -c, "cat > DIRECTORY/hook-ran"]
- name: all
  containerEdits:
    env: ["GPU=all"]
"#;

fn with_specification(cli: Cli) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    std::fs::write(directory.path().join("library"), "a driver\n").unwrap();
    std::fs::create_dir(directory.path().join("cdi")).unwrap();
    std::fs::write(directory.path().join("cdi/gpu.yaml"), SPECIFICATION.replace("DIRECTORY", place)).unwrap();
    let host = Host::start_as(
        cli,
        Wishes { flags: vec!["--cdi-spec-dir".into(), format!("{place}/cdi")], ..Wishes::default() },
    );
    let script = "echo $ALL_OF_THEM $GPU; ls -l /dev/gpu0 | cut -c 1; cat /opt/driver/library; touch /opt/driver/x 2>/dev/null || echo sealed";
    assert_eq!(sh(&host, &["--device", "nvidia.com/gpu=0"], script), "yes zero\nc\na driver\nsealed");
    let state = std::fs::read_to_string(directory.path().join("hook-ran")).unwrap();
    assert!(state.contains("\"id\""), "{state}");
    assert_eq!(sh(&host, &["--gpus", "1"], "echo $GPU"), "zero");
    assert_eq!(sh(&host, &["--gpus", "all"], "echo $ALL_OF_THEM $GPU"), "yes all");
    fails(&host, &["--device", "nvidia.com/gpu=7"]).fails_with(125, "unresolvable CDI devices nvidia.com/gpu=7");
    fails(&host, &["--gpus", "2"]).fails_with(125, "2 devices of nvidia.com/gpu were asked for, and there are 1");
    let name = host.name("cdi");
    host.run(&["create", "--name", &name, "--device", "nvidia.com/gpu=0", &host.image()]);
    assert_eq!(
        host.inspect(&name, "{{range .HostConfig.DeviceRequests}}{{.Driver}} {{.DeviceIDs}}{{end}}"),
        "cdi [nvidia.com/gpu=0]"
    );
    host.run(&["rm", &name]);
}

#[test]
fn cdi_berth() {
    with_specification(Cli::Ours);
}

#[test]
fn cdi_docker() {
    with_specification(Cli::Docker);
}
