//! From a driver's settings to what the shim is told; and, at the start, whether the log service is there at all.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_shim::protocol::{Endpoint, Form, LogDriver as Kept, LogPlan, LogTls, RemotePlan, SyslogForm};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::driver::{Settings, settings, starting};
use super::entry::Format;
use super::syslog::{Address, Syslog};
use super::tag::{Subject, journal_name};
use crate::spec::{LogDriver, LogSpec};
use crate::view::Paths;
use crate::{Error, Result};

const JOURNAL: &str = "/run/systemd/journal/socket";

/// Where a host's own syslog listens.
const LOCAL_SYSLOG: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/// How long a syslog server may take to answer at a start.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many changes of the local time zone are foreseen.
const TRANSITIONS: usize = 20;

/// The file that holds a container's log on this host, and its format; `None`: nothing is kept.
pub(crate) fn file(log: &LogSpec, paths: &Paths) -> Result<Option<(PathBuf, Format)>> {
    if settings(log)?.rotation.is_none() {
        return Ok(None);
    }
    Ok(Some(match log.driver {
        LogDriver::JsonFile => (paths.log.clone(), Format::Json),
        _ => (paths.directory.join("local-logs").join("container.log"), Format::Local),
    }))
}

/// What the shim is to write where. Says so where the log service cannot be reached.
pub(crate) fn plan(log: &LogSpec, paths: &Paths, subject: &Subject<'_>) -> Result<LogPlan> {
    let settings = settings(log)?;
    let mut plan = LogPlan { remote: remote(log, &settings, subject)?, ..LogPlan::default() };
    if let (Some((path, format)), Some(rotation)) = (file(log, paths)?, settings.rotation) {
        plan.driver = match format {
            Format::Json => Kept::JsonFile,
            Format::Local => Kept::Local,
        };
        plan.max_size = Some(rotation.max_size);
        plan.max_file = Some(rotation.max_file);
        plan.compress = rotation.compress;
        make_directory(&path)?;
        plan.path = path;
    }
    if log.driver == LogDriver::JsonFile {
        plan.attrs = settings.extras(subject.effective, str::to_owned);
        let tag = settings.tag_of(subject, "").map_err(starting)?;
        if !tag.is_empty() {
            plan.attrs.insert("tag".into(), tag);
        }
    }
    Ok(plan)
}

/// The container's directory is there; one in it may not be.
fn make_directory(path: &Path) -> Result<()> {
    let Some(directory) = path.parent().filter(|directory| !directory.exists()) else { return Ok(()) };
    std::fs::create_dir(directory).map_err(Error::file("making", directory))
}

fn remote(log: &LogSpec, settings: &Settings, subject: &Subject<'_>) -> Result<Option<RemotePlan>> {
    let short: String = subject.id.chars().take(12).collect();
    let tag = || settings.tag_of(subject, &short).map_err(starting);
    let (to, form) = match (log.driver, &settings.syslog) {
        (LogDriver::Journald, _) => {
            UnixDatagram::unbound()
                .and_then(|socket| socket.connect(JOURNAL))
                .map_err(|_| starting("journald is not enabled on this host"))?;
            let form = Form::Journal { fields: journal_fields(settings, subject, &short, tag()?) };
            (vec![Endpoint::Datagram(JOURNAL.into())], form)
        }
        (LogDriver::Syslog, Some(syslog)) => (reach(&syslog.address)?, syslog_form(syslog, subject, tag()?)),
        _ => return Ok(None),
    };
    let tls = settings.syslog.as_ref().and_then(|syslog| syslog.address.tls()).cloned();
    Ok(Some(RemotePlan { to, form, buffer: settings.buffer, tls }))
}

fn journal_fields(settings: &Settings, subject: &Subject<'_>, short: &str, tag: String) -> Vec<(String, String)> {
    let own = [
        ("CONTAINER_ID", short.to_owned()),
        ("CONTAINER_ID_FULL", subject.id.to_owned()),
        ("CONTAINER_NAME", subject.name.to_owned()),
        ("CONTAINER_TAG", tag.clone()),
        ("IMAGE_NAME", subject.image.to_owned()),
        ("SYSLOG_IDENTIFIER", tag),
    ];
    let extras = settings.extras(subject.effective, journal_name).into_iter().filter(|(name, _)| !name.is_empty());
    own.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(extras).collect()
}

fn syslog_form(syslog: &Syslog, subject: &Subject<'_>, tag: String) -> Form {
    let hostname = subject.hostname.to_owned();
    Form::Syslog(SyslogForm { layout: syslog.layout, facility: syslog.facility, tag, hostname, zone: zone() })
}

/// The local time zone from now on.
fn zone() -> Vec<(i64, i32)> {
    let (zone, now) = (TimeZone::system(), Timestamp::now());
    let now_on = (i64::MIN, zone.to_offset(now).seconds());
    let later = zone.following(now).take(TRANSITIONS).map(|t| (t.timestamp().as_second(), t.offset().seconds()));
    std::iter::once(now_on).chain(later).collect()
}

fn reach(address: &Address) -> Result<Vec<Endpoint>> {
    match address {
        Address::Local => LOCAL_SYSLOG
            .iter()
            .find_map(|path| socket(Path::new(path), None))
            .map(|endpoint| vec![endpoint])
            .ok_or_else(|| starting("Unix syslog delivery error")),
        Address::Unix { path, datagrams } => socket(path, Some(*datagrams))
            .map(|endpoint| vec![endpoint])
            .ok_or_else(|| starting(format!("dial unix {}: connect: connection refused", path.display()))),
        Address::Udp(host, port) => Ok(resolve("udp", host, *port)?.into_iter().map(Endpoint::Udp).collect()),
        Address::Tcp(host, port) | Address::Tls(LogTls { server: host, .. }, port) => {
            let addresses = resolve("tcp", host, *port)?;
            let stream = dial(&addresses)?;
            if let Some(tls) = address.tls() {
                tls.greet(stream).map_err(starting)?;
            }
            Ok(addresses.into_iter().map(Endpoint::Tcp).collect())
        }
    }
}

/// Whoever listens at `path`, for datagrams or connections.
fn socket(path: &Path, datagrams: Option<bool>) -> Option<Endpoint> {
    let takes_datagrams = || UnixDatagram::unbound().and_then(|socket| socket.connect(path)).is_ok();
    if takes_datagrams() {
        return Some(Endpoint::Datagram(path.to_owned()));
    }
    let stream = datagrams != Some(true) && UnixStream::connect(path).is_ok();
    stream.then(|| Endpoint::Stream(path.to_owned()))
}

fn resolve(network: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let failed = |why: &dyn std::fmt::Display| starting(format!("dial {network}: lookup {host}: {why}"));
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(|e| failed(&e))?.collect();
    if addresses.is_empty() { Err(failed(&"no such host")) } else { Ok(addresses) }
}

/// The first that answers, which then has so much time for each word.
fn dial(addresses: &[SocketAddr]) -> Result<TcpStream> {
    let mut why = starting("dial tcp: no such host");
    for address in addresses {
        let connected = TcpStream::connect_timeout(address, PATIENCE).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                let text = error.to_string().to_lowercase();
                let text = text.split(" (os error").next().unwrap_or_default();
                why = starting(format!("dial tcp {address}: connect: {text}"));
            }
        }
    }
    Err(why)
}
