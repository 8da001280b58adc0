//! Every line here is parsed, shown as `inspect` would, respelled and parsed again: both requests must be the same.

use berth_api::ContainerInspect;

use super::*;
use crate::create;
use crate::flag::parse::parse;

fn request(words: &[String]) -> berth_api::CreateRequest {
    let parsed = parse(create::flags::RUN, words, false).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    create::plan(&parsed).unwrap_or_else(|error| panic!("{words:?}: {error}")).request
}

/// Fields that `inspect` fills in where nothing was asked.
fn completed(mut request: berth_api::CreateRequest) -> ContainerInspect {
    let mut host = request.host_config.take().unwrap_or_default();
    if host.shm_size == 0 {
        host.shm_size = 64 << 20;
    }
    if host.memory_swap == 0 {
        host.memory_swap = host.memory * 2;
    }
    request.config.hostname = match request.config.hostname.as_str() {
        "" => "0123456789ab".to_owned(),
        given => given.to_owned(),
    };
    ContainerInspect {
        id: "0123456789abcdef".to_owned(),
        name: "/named".to_owned(),
        config: Some(Box::new(request.config)),
        host_config: Some(host),
        ..ContainerInspect::default()
    }
}

fn round(text: &str) {
    let words: Vec<String> = text.split(' ').map(|word| word.replace('~', " ")).collect();
    let asked = request(&words);
    let spelled = super::words(&completed(asked.clone()), &ContainerConfig::default());
    assert_eq!(spelled.unsaid, Vec::<String>::new(), "{text}");
    assert_eq!(spelled.words[0], "run");
    let again = request(&spelled.words[1..]);
    assert_eq!(again.config, asked.config, "{text}\n{:?}", spelled.words);
    assert_eq!(again.host_config, asked.host_config, "{text}\n{:?}", spelled.words);
}

#[test]
fn lines_come_back() {
    for text in [
        "busybox",
        "-d -it --rm busybox sh -c echo~'$HOME'~&&~true",
        "-a stdout -a stdin -i --hostname box --domainname d.example -u 1:2 -w /w busybox x -y --z",
        "-e A=b~c -e E= -l a=b -l c= --expose 80 --expose 53/udp -p 8080:80 -p 127.0.0.1::443 -p [::1]:9:9/udp -P img",
        "--entrypoint /bin/x img a b",
        "--stop-signal INT --stop-timeout 3 --health-cmd test~-f~/x --health-interval 1m30s --health-retries 2 img",
        "--no-healthcheck --restart on-failure:5 --network none --dns 1.1.1.1 --dns-search x --add-host a:1.2.3.4 img",
        "-m 64m --memory-swap -1 --memory-reservation 32m --memory-swappiness 7 --cpus 1.25 --cpu-shares 3 img",
        "--cpu-period 1000 --cpu-quota 2000 --cpuset-cpus 0-1 --cpuset-mems 0 --pids-limit -1 --oom-score-adj -5 img",
        "--ulimit nofile=3:4 --ulimit core=-1 --shm-size 1g --blkio-weight 300 --device-read-bps /dev/sda:1mb img",
        "--device /dev/null --device /dev/zero:/dev/x:r --device-cgroup-rule c~1:3~rwm --gpus all --init --read-only img",
        "--gpus \"device=1,2\",capabilities=utility --cap-add NET_ADMIN --cap-drop ALL --security-opt no-new-privileges img",
        "--security-opt systempaths=unconfined --privileged=false --pid host --uts host --userns host --ipc host img",
        "-v /a:/b:ro -v name:/c -v /anonymous --tmpfs /t --tmpfs /u:size=1m --mount type=bind,src=/x,dst=/y,readonly img",
        "--mount type=volume,src=v,dst=/v,volume-nocopy,volume-label=a=b,volume-opt=o=p --volumes-from other:ro img",
        "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 --mount type=bind,\"src=/a,b\",dst=/c,bind-recursive=disabled i",
        "--log-driver local --log-opt max-size=1m --annotation x=y --sysctl net.a=1 --storage-opt size=1G --runtime crun i",
        "--group-add 5 --group-add audio --cgroup-parent /x --oom-kill-disable --link a:b --mac-address 92:d0:c6:0a:29:33 i",
    ] {
        round(text);
    }
}

#[test]
fn what_the_image_says_is_left_out() {
    let image = ContainerConfig {
        env: Some(vec!["A=1".to_owned(), "GONE=1".to_owned()]),
        cmd: Some(vec!["sh".to_owned()]),
        entrypoint: Some(vec!["/init".to_owned()]),
        labels: Some([("l".to_owned(), "1".to_owned())].into()),
        user: "web".to_owned(),
        ..ContainerConfig::default()
    };
    let own = ContainerConfig {
        image: "img".to_owned(),
        hostname: "0123456789ab".to_owned(),
        env: Some(vec!["A=1".to_owned(), "B=2".to_owned()]),
        ..image.clone()
    };
    let container = ContainerInspect {
        id: "0123456789abcdef".to_owned(),
        name: "/x".to_owned(),
        config: Some(Box::new(own.clone())),
        ..ContainerInspect::default()
    };
    let line = super::words(&container, &image);
    assert_eq!(line.words.join(" "), "run --name x --detach --env B=2 --env GONE img");
    let other = ContainerConfig { cmd: None, ..own };
    let container = ContainerInspect { config: Some(Box::new(other)), ..container };
    let line = super::words(&container, &image);
    assert!(line.words.join(" ").ends_with("--entrypoint=/init img"), "{:?}", line.words);
}
