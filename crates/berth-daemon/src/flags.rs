//! The daemon's options as a table: dockerd's flags and the keys of its configuration file.
//!
//! Each row says how an option is spelled on the command line and in the file, what kind of value it has, and whether
//! berth honours it. Parsing, help, the file, conflicts between the two and `docs/not-yet.md` all follow from it.

/// What an option's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `--x`, `--x=false`; `true` or `false` in the file.
    Switch,
    /// One text.
    Text,
    /// One number; in the file a number too.
    Number,
    /// Given as often as wanted; a list in the file.
    List,
    /// `name=value`, given as often as wanted; an object in the file.
    Map,
}

/// Whether an option does what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It does.
    Honoured,
    /// Only these values can be given; each says what is so anyway.
    Only(&'static [&'static str]),
    /// Refused.
    NotYet,
}

/// One option.
#[derive(Debug)]
pub(crate) struct Flag {
    /// `--LONG`.
    pub(crate) long: &'static str,
    /// `-S`.
    pub(crate) short: Option<char>,
    /// In the file; empty: not allowed there.
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) status: Status,
    /// For the help.
    pub(crate) help: &'static str,
}

macro_rules! flags {
    ($($long:literal $($short:literal)?, $key:literal, $kind:ident, $status:expr, $help:literal;)*) => {
        &[$(Flag { long: $long, short: flags!(@ $($short)?), key: $key, kind: Kind::$kind, status: $status, help: $help }),*]
    };
    (@ $short:literal) => { Some($short) };
    (@) => { None };
}

use Status::{Honoured, NotYet, Only};

/// Every option of dockerd that is known.
pub(crate) const FLAGS: &[Flag] = flags! {
    "bip", "bip", Text, Honoured, "Address and prefix of the default bridge";
    "bridge" 'b', "bridge", Text, Honoured, "Name of the default bridge";
    "cgroup-parent", "cgroup-parent", Text, Honoured, "Parent cgroup of all containers";
    "config-file", "", Text, Honoured, "Configuration file";
    "data-root", "data-root", Text, Honoured, "Where everything that lasts is kept";
    "debug" 'D', "debug", Switch, Honoured, "Log more";
    "default-shm-size", "default-shm-size", Text, Honoured, "Size of /dev/shm";
    "default-ulimit", "default-ulimits", Map, Honoured, "Limits of containers that set none";
    "exec-opt", "exec-opts", List, Only(&["native.cgroupdriver=cgroupfs", "native.cgroupdriver=systemd"]), "Options of the runtime";
    "exec-root", "exec-root", Text, Honoured, "Where everything that a reboot ends is kept";
    "group" 'G', "group", Text, Honoured, "Group of the unix socket";
    "host" 'H', "hosts", List, Honoured, "Where to listen";
    "icc", "icc", Switch, Only(&["true"]), "Let containers talk to each other";
    "init", "init", Switch, Honoured, "Run an init in every container";
    "insecure-registry", "insecure-registries", List, Honoured, "Registries spoken to without TLS";
    "ip-forward", "ip-forward", Switch, Honoured, "Turn on IP forwarding";
    "ip-masq", "ip-masq", Switch, Honoured, "Masquerade what leaves the bridge";
    "iptables", "iptables", Switch, Honoured, "Make firewall rules";
    "ipv6", "ipv6", Switch, Only(&["false"]), "IPv6 on the default bridge";
    "keep-blobs", "keep-blobs", Switch, Honoured, "Keep layers' compressed blobs beside them (default true; false saves disk: what was pulled is fetched again when it is needed as it came)";
    "live-restore", "live-restore", Switch, Honoured, "Containers live on without the daemon (default true)";
    "log-driver", "log-driver", Text, Honoured, "Log driver of containers that name none";
    "log-format", "log-format", Text, Honoured, "Format of the daemon's log: text or json";
    "log-level" 'l', "log-level", Text, Honoured, "debug, info, warn, error or fatal";
    "log-opt", "log-opts", Map, Honoured, "Options of the log driver";
    "max-concurrent-downloads", "max-concurrent-downloads", Number, Honoured, "Layers fetched at once";
    "mtu", "mtu", Number, Honoured, "MTU of the default bridge";
    "pidfile" 'p', "pidfile", Text, Honoured, "Where to write the daemon's pid";
    "registry-mirror", "registry-mirrors", List, Honoured, "Mirrors of Docker Hub, or of another registry: HOST=URL";
    "selinux-enabled", "selinux-enabled", Switch, Only(&["false"]), "SELinux";
    "storage-driver" 's', "storage-driver", Text, Only(&["overlay2", "overlayfs", "erofs"]), "Form of new layers: erofs (file-system images) or overlay2 (directories); the best there is by default";
    "tls", "tls", Switch, Honoured, "TLS on TCP; implied by --tlsverify";
    "tlsverify", "tlsverify", Switch, Honoured, "TLS on TCP, for clients with a certificate only";
    "userland-proxy", "userland-proxy", Switch, Only(&["false"]), "A proxy for published ports";
    "add-runtime", "runtimes", Map, Honoured, "Another OCI runtime: name=path";
    "allow-direct-routing", "allow-direct-routing", Switch, NotYet, "Remote access to container addresses";
    "authorization-plugin", "authorization-plugins", List, NotYet, "Authorization plugins";
    "bip6", "bip6", Text, NotYet, "IPv6 address of the default bridge";
    "bridge-accept-fwmark", "bridge-accept-fwmark", Text, NotYet, "Firewall mark to accept";
    "cdi-spec-dir", "cdi-spec-dirs", List, Honoured, "CDI specifications";
    "containerd", "containerd", Text, NotYet, "containerd's socket (there is none in berth)";
    "containerd-namespace", "containerd-namespace", Text, NotYet, "containerd's namespace";
    "containerd-plugins-namespace", "containerd-plugins-namespace", Text, NotYet, "containerd's namespace of plugins";
    "cpu-rt-period", "cpu-rt-period", Number, NotYet, "Real-time scheduling";
    "cpu-rt-runtime", "cpu-rt-runtime", Number, NotYet, "Real-time scheduling";
    "default-address-pool", "default-address-pools", List, NotYet, "Pools of networks";
    "default-cgroupns-mode", "default-cgroupns-mode", Text, Honoured, "Cgroup namespace of containers";
    "default-gateway", "default-gateway", Text, NotYet, "Gateway of the default bridge";
    "default-gateway-v6", "default-gateway-v6", Text, NotYet, "IPv6 gateway of the default bridge";
    "default-ipc-mode", "default-ipc-mode", Text, Honoured, "IPC namespace of containers";
    "default-network-opt", "default-network-opts", Map, NotYet, "Options of new networks";
    "default-runtime", "default-runtime", Text, Honoured, "OCI runtime of containers that name none";
    "dns", "dns", List, Honoured, "Name servers of containers";
    "dns-opt", "dns-opts", List, Honoured, "Resolver options of containers";
    "dns-search", "dns-search", List, Honoured, "Search domains of containers";
    "experimental", "experimental", Switch, Only(&["false"]), "Experimental features";
    "feature", "features", Map, NotYet, "Features by name";
    "firewall-backend", "firewall-backend", Text, Only(&["nftables"]), "How firewall rules are made";
    "fixed-cidr", "fixed-cidr", Text, NotYet, "Range of addresses on the default bridge";
    "fixed-cidr-v6", "fixed-cidr-v6", Text, NotYet, "IPv6 range on the default bridge";
    "host-gateway-ip", "host-gateway-ips", List, NotYet, "What host-gateway stands for";
    "http-proxy", "http-proxy", Text, Honoured, "Proxy for pulls";
    "https-proxy", "https-proxy", Text, Honoured, "Proxy for pulls";
    "init-path", "init-path", Text, Honoured, "Another init (berth has its own)";
    "ip", "ip", Text, NotYet, "Address that ports are published on";
    "ip-forward-no-drop", "ip-forward-no-drop", Switch, NotYet, "Leave the forward policy alone";
    "ip6tables", "ip6tables", Switch, NotYet, "Make IPv6 firewall rules";
    "label", "labels", List, Honoured, "Labels of the daemon";
    "max-concurrent-uploads", "max-concurrent-uploads", Number, Honoured, "Layers pushed at once";
    "max-download-attempts", "max-download-attempts", Number, Honoured, "Attempts of each download";
    "metrics-addr", "metrics-addr", Text, Honoured, "Where to serve metrics, such as 127.0.0.1:9323";
    "min-api-version", "min-api-version", Text, Honoured, "Oldest API version";
    "network-control-plane-mtu", "network-control-plane-mtu", Number, NotYet, "Swarm";
    "no-new-privileges", "no-new-privileges", Switch, Honoured, "no-new-privileges for every container";
    "no-proxy", "no-proxy", Text, Honoured, "Hosts reached without proxy";
    "node-generic-resource", "node-generic-resources", List, NotYet, "Swarm";
    "proxies", "proxies", Map, Honoured, "Proxies for pulls, by http-proxy, https-proxy and no-proxy";
    "raw-logs", "raw-logs", Switch, Honoured, "Log without colours";
    "oom-score-adjust", "oom-score-adjust", Number, Honoured, "How readily the kernel ends the daemon (-1000 to 1000)";
    "seccomp-profile", "seccomp-profile", Text, Honoured, "Default seccomp profile: a file, builtin or unconfined";
    "shutdown-timeout", "shutdown-timeout", Number, Honoured, "Seconds that containers have to end in without live restore";
    "storage-opt", "storage-opts", List, NotYet, "Options of the storage driver";
    "swarm-default-advertise-addr", "swarm-default-advertise-addr", Text, NotYet, "Swarm";
    "tlscacert", "tlscacert", Text, Honoured, "Authority of the clients' certificates";
    "tlscert", "tlscert", Text, Honoured, "The daemon's certificate";
    "tlskey", "tlskey", Text, Honoured, "Its key";
    "userland-proxy-path", "userland-proxy-path", Text, NotYet, "A proxy for published ports";
    "userns-remap", "userns-remap", Text, NotYet, "User namespaces";
    "validate", "", Switch, Honoured, "Check the configuration and exit";
    "help" 'h', "", Switch, Honoured, "Show this and exit";
    "version" 'v', "", Switch, Honoured, "Show the version and exit";
};

impl Flag {
    pub(crate) fn by_long(name: &str) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| flag.long == name)
    }

    pub(crate) fn by_short(name: char) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| flag.short == Some(name))
    }

    pub(crate) fn by_key(key: &str) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| !flag.key.is_empty() && flag.key == key)
    }
}

/// The help text.
pub(crate) fn help() -> String {
    let mut text = String::from("Usage:  berth daemon [OPTIONS]\n\nServes the Docker Engine API.\n\nOptions:\n");
    for flag in FLAGS.iter().filter(|flag| flag.status != NotYet) {
        let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
        let value = match flag.kind {
            Kind::Switch => "",
            Kind::Text => " string",
            Kind::Number => " int",
            Kind::List => " list",
            Kind::Map => " name=value",
        };
        let spelled = format!("--{}{value}", flag.long);
        text.push_str(&format!("  {short}{spelled:<38}{}\n", flag.help));
    }
    text.push_str("\nOptions of dockerd that are not listed are known and refused; docs/not-yet.md names them.\n");
    text
}
