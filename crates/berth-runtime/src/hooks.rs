//! Hooks: programs of somebody else's that run at fixed moments, with the container's state on standard input.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oci_spec::runtime::{Hook, Spec};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::error::{LaunchError, Step};

/// The state a hook is told, and `state` prints.
pub(crate) fn state_json(spec: &Spec, id: &str, status: &str, pid: i32, bundle: &Path) -> Vec<u8> {
    let mut state = serde_json::json!({
        "ociVersion": spec.version(),
        "id": id,
        "status": status,
        "pid": pid,
        "bundle": bundle,
    });
    if let Some(annotations) = spec.annotations() {
        state["annotations"] = serde_json::json!(annotations);
    }
    if status == "stopped" {
        state.as_object_mut().map(|state| state.remove("pid"));
    }
    state.to_string().into_bytes()
}

/// Runs hooks in order; the first that fails ends it.
pub(crate) fn run(kind: &str, hooks: &[Hook], state: &[u8]) -> Result<(), LaunchError> {
    for (position, hook) in hooks.iter().enumerate() {
        run_one(hook, state).map_err(|reason| LaunchError {
            step: Step::Hook,
            object: format!("{kind} #{position} {}: {reason}", hook.path().display()),
            errno: None,
        })?;
    }
    Ok(())
}

fn run_one(hook: &Hook, state: &[u8]) -> Result<(), String> {
    let mut command = Command::new(hook.path());
    let args = hook.args().as_deref().unwrap_or_default();
    if let Some((name, args)) = args.split_first() {
        command.arg0(name).args(args);
    }
    command.env_clear();
    for entry in hook.env().iter().flatten() {
        let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
        command.env(name, value);
    }
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A hook need not read its state.
        let _ = stdin.write_all(state);
    }
    let deadline =
        hook.timeout().map(|seconds| Instant::now() + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    let said = match listen(&mut child, deadline) {
        Ok(said) => said,
        Err(reason) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(reason);
        }
    };
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{status}, stderr: {}", String::from_utf8_lossy(&said).trim_end()))
    }
}

/// Reads what it says on standard error until it has ended; a grandchild may keep the pipe open.
fn listen(child: &mut Child, deadline: Option<Instant>) -> Result<Vec<u8>, String> {
    const MOST: usize = 16 * 1024;
    let text = |error: rustix::io::Errno| error.to_string();
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("it has no pid")?;
    let ended = pidfd_open(pid, PidfdFlags::empty()).map_err(text)?;
    let mut stderr = child.stderr.take();
    let mut said = Vec::new();
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err("it did not end within its timeout".to_owned());
        }
        let timeout = left.map(|left| rustix::event::Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        let mut waiting = vec![PollFd::new(&ended, PollFlags::IN)];
        if let Some(stderr) = &stderr {
            waiting.push(PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN));
        }
        match poll(&mut waiting, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            done => done.map_err(text)?,
        };
        let (gone, words) =
            (!waiting[0].revents().is_empty(), waiting.get(1).is_some_and(|fd| !fd.revents().is_empty()));
        if let (true, Some(pipe)) = (words, stderr.as_mut()) {
            let mut buffer = [0; 4096];
            match pipe.read(&mut buffer) {
                Ok(length) if length > 0 => {
                    said.extend_from_slice(&buffer[..length.min(MOST.saturating_sub(said.len()))])
                }
                _ => stderr = None,
            }
        } else if gone {
            return Ok(said);
        }
    }
}

/// The hooks of a specification that a birth runs.
#[derive(Debug, Default)]
pub(crate) struct OfBirth {
    pub(crate) prestart: Vec<Hook>,
    pub(crate) create_runtime: Vec<Hook>,
    pub(crate) create_container: Vec<Hook>,
    pub(crate) start_container: Vec<Hook>,
}

impl OfBirth {
    #[allow(deprecated, reason = "prestart hooks are deprecated in the specification and still in use")]
    pub(crate) fn read(spec: &Spec) -> Self {
        let Some(hooks) = spec.hooks() else { return Self::default() };
        let list = |hooks: &Option<Vec<Hook>>| hooks.clone().unwrap_or_default();
        Self {
            prestart: list(hooks.prestart()),
            create_runtime: list(hooks.create_runtime()),
            create_container: list(hooks.create_container()),
            start_container: list(hooks.start_container()),
        }
    }

    /// Whether the runtime's side has any to run.
    pub(crate) fn outside(&self) -> bool {
        !self.prestart.is_empty() || !self.create_runtime.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_container_has_no_pid() {
        let state = state_json(&Spec::default(), "x", "stopped", 7, Path::new("/b"));
        assert!(!String::from_utf8_lossy(&state).contains("pid"));
    }
}
