//! `info`.

use std::fmt::Write as _;

use berth_api::system::Info;
use berth_template::Value;

use crate::cmd::OBJECT_FORMAT_HELP;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::unit::size;
use crate::{format, order, plugin};

pub(crate) const COMMAND: Command = Command {
    name: "info",
    usage: "info [OPTIONS]",
    about: "Show the state of the daemon and its host",
    aliases: &["system info", "info"],
    flags: &[Flag::text("format", OBJECT_FORMAT_HELP).short('f')],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let client = session.client()?;
    if let Some(template) = parsed.get("format").filter(|f| !f.is_empty()) {
        let mut json = session.block_on(client.get(&["info"], &[]))??;
        let client_info = serde_json::json!({
            "Debug": session.debug(), "Version": env!("CARGO_PKG_VERSION"), "Os": "linux",
            "Context": session.context_name(), "Plugins": plugin::list(session), "Warnings": null,
        });
        if let Some(members) = json.as_object_mut() {
            members.insert("ClientInfo".to_owned(), client_info);
        }
        let value = with_go_names(order::like::<Info>(&json)?);
        crate::print(&(format::object_as("", format::BARE, template, &value)? + "\n"));
        return Ok(0);
    }
    let version = env!("CARGO_PKG_VERSION");
    let plugins = plugin::list(session);
    crate::print(&format!(
        "Client: berth\n Version:    {version}\n Context:    {}\n Debug Mode: {}\n{}\nServer:\n",
        session.context_name(),
        session.debug(),
        client_plugins(&plugins)
    ));
    for (plugin, error) in plugins.iter().filter_map(|plugin| Some((plugin, plugin.error.as_ref()?))) {
        eprintln!("WARNING: Plugin {:?} is not valid: {error}", plugin.path);
    }
    let info = session.block_on(client.info())??;
    crate::print(&server(&info));
    for warning in info.warnings.iter().flatten() {
        eprintln!("{warning}");
    }
    Ok(0)
}

/// Go's fields have other names than the JSON here and there, and are there when the JSON leaves them out.
fn with_go_names(value: Value) -> Value {
    let Value::Object(object) = &value else { return value };
    let renamed = [("HTTPProxy", "HttpProxy"), ("HTTPSProxy", "HttpsProxy")];
    let renamed = renamed.map(|(name, json)| (name, object.get(json).cloned().unwrap_or_default()));
    let absent = [
        ("ProductLicense", Value::text("")),
        ("Containerd", Value::Nil),
        ("FirewallBackend", Value::Nil),
        ("DefaultAddressPools", Value::NilList),
        ("ServerErrors", Value::NilList),
        ("ClientErrors", Value::NilList),
    ];
    let fields = renamed.into_iter().chain(absent).map(|(name, value)| (name.to_owned(), value)).collect();
    value.named("system.dockerInfo", fields)
}

/// The command line's own plugins.
fn client_plugins(plugins: &[plugin::Plugin]) -> String {
    let mut out = String::new();
    for plugin in plugins.iter().filter(|plugin| plugin.error.is_none()) {
        if out.is_empty() {
            out.push_str(" Plugins:\n");
        }
        _ = writeln!(out, "  {}: {} ({})", plugin.name, plugin.short_description, plugin.vendor);
        if !plugin.version.is_empty() {
            _ = writeln!(out, "    Version:  {}", plugin.version);
        }
        _ = writeln!(out, "    Path:     {}", plugin.path.display());
    }
    out
}

fn server(info: &Info) -> String {
    let mut out = String::new();
    counts(&mut out, info);
    _ = writeln!(out, " Storage Driver: {}", info.driver);
    for [name, value] in &info.driver_status {
        _ = writeln!(out, "  {name}: {value}");
    }
    line(&mut out, "Logging Driver", &info.logging_driver);
    line(&mut out, "Cgroup Driver", &info.cgroup_driver);
    line(&mut out, "Cgroup Version", &info.cgroup_version);
    plugins(&mut out, info);
    line(&mut out, "Swarm", &info.swarm.local_node_state);
    line(&mut out, "Runtimes", &info.runtimes.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
    line(&mut out, "Default Runtime", &info.default_runtime);
    line(&mut out, "Init Binary", &info.init_binary);
    line(&mut out, "containerd version", &info.containerd_commit.id);
    line(&mut out, "runc version", &info.runc_commit.id);
    security(&mut out, info);
    host(&mut out, info);
    registries(&mut out, info);
    _ = writeln!(out, " Live Restore Enabled: {}\n", info.live_restore_enabled);
    out
}

fn line(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        _ = writeln!(out, " {name}: {value}");
    }
}

fn counts(out: &mut String, info: &Info) {
    _ = writeln!(out, " Containers: {}", info.containers);
    _ = writeln!(out, "  Running: {}", info.containers_running);
    _ = writeln!(out, "  Paused: {}", info.containers_paused);
    _ = writeln!(out, "  Stopped: {}", info.containers_stopped);
    _ = writeln!(out, " Images: {}", info.images);
    line(out, "Server Version", &info.server_version);
}

fn plugins(out: &mut String, info: &Info) {
    _ = writeln!(out, " Plugins:");
    for (name, list) in
        [("Volume", &info.plugins.volume), ("Network", &info.plugins.network), ("Log", &info.plugins.log)]
    {
        _ = writeln!(out, "  {name}: {}", list.join(" "));
    }
    if let Some(list) = info.plugins.authorization.as_ref().filter(|l| !l.is_empty()) {
        _ = writeln!(out, "  Authorization: {}", list.join(" "));
    }
}

/// `name=seccomp,profile=default` becomes a heading and a line below it.
fn security(out: &mut String, info: &Info) {
    if info.security_options.is_empty() {
        return;
    }
    _ = writeln!(out, " Security Options:");
    for option in &info.security_options {
        for (name, value) in option.split(',').filter_map(|part| part.split_once('=')) {
            match name {
                "name" => _ = writeln!(out, "  {value}"),
                "profile" => _ = writeln!(out, "   Profile: {value}"),
                other => _ = writeln!(out, "   {other}: {value}"),
            }
        }
    }
}

fn host(out: &mut String, info: &Info) {
    line(out, "Kernel Version", &info.kernel_version);
    line(out, "Operating System", &info.operating_system);
    line(out, "OSType", &info.os_type);
    line(out, "Architecture", &info.architecture);
    _ = writeln!(out, " CPUs: {}", info.ncpu);
    _ = writeln!(out, " Total Memory: {}", size::human_binary(info.mem_total));
    line(out, "Name", &info.name);
    line(out, "ID", &info.id);
    line(out, "Docker Root Dir", &info.docker_root_dir);
    _ = writeln!(out, " Debug Mode: {}", info.debug);
    line(out, "HTTP Proxy", &info.http_proxy);
    line(out, "HTTPS Proxy", &info.https_proxy);
    line(out, "No Proxy", &info.no_proxy);
    if !info.labels.is_empty() {
        _ = writeln!(out, " Labels:");
        info.labels.iter().for_each(|label| _ = writeln!(out, "  {label}"));
    }
    _ = writeln!(out, " Experimental: {}", info.experimental_build);
}

fn registries(out: &mut String, info: &Info) {
    let Some(config) = &info.registry_config else { return };
    let named = config.index_configs.values().filter(|index| !index.secure).map(|index| index.name.as_str());
    let insecure: Vec<&str> = named.chain(config.insecure_registry_cidrs.iter().map(String::as_str)).collect();
    if !insecure.is_empty() {
        _ = writeln!(out, " Insecure Registries:");
        insecure.iter().for_each(|name| _ = writeln!(out, "  {name}"));
    }
    if !config.mirrors.is_empty() {
        _ = writeln!(out, " Registry Mirrors:");
        config.mirrors.iter().for_each(|mirror| _ = writeln!(out, "  {mirror}"));
    }
}
