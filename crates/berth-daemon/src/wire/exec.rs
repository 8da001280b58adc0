//! Exec requests become specifications; exec views become answers.

use berth_api::exec::{ExecConfig, ExecInspect, ExecProcess};
use berth_engine::ExecView;
use berth_engine::spec::ExecSpec;

use crate::http::error::ApiError;

impl TryFrom<WireExec> for ExecSpec {
    type Error = ApiError;

    fn try_from(WireExec(config): WireExec) -> Result<Self, ApiError> {
        let args = config.cmd.unwrap_or_default();
        if args.is_empty() {
            return Err(ApiError::invalid("no exec command specified"));
        }
        for entry in config.env.iter().flatten() {
            if entry.is_empty() || entry.starts_with('=') {
                return Err(ApiError::invalid(format!("invalid environment variable: {entry}")));
            }
        }
        Ok(Self {
            args,
            env: config.env.unwrap_or_default(),
            working_dir: config.working_dir,
            user: config.user,
            tty: config.tty,
            privileged: config.privileged,
            attach_stdin: config.attach_stdin,
            attach_stdout: config.attach_stdout,
            attach_stderr: config.attach_stderr,
            detach_keys: config.detach_keys,
        })
    }
}

/// The wire's configuration, on its way to the domain.
pub(crate) struct WireExec(pub(crate) ExecConfig);

/// `GET /exec/{id}/json`.
pub(crate) fn inspect(view: &ExecView) -> ExecInspect {
    let spec = &view.spec;
    ExecInspect {
        id: view.id.to_string(),
        running: view.running,
        exit_code: view.exit_code.map(i64::from),
        process_config: ExecProcess {
            tty: spec.tty,
            entrypoint: spec.args.first().cloned().unwrap_or_default(),
            arguments: spec.args.iter().skip(1).cloned().collect(),
            privileged: Some(spec.privileged),
            user: spec.user.clone(),
        },
        open_stdin: spec.attach_stdin,
        open_stderr: spec.attach_stderr,
        open_stdout: spec.attach_stdout,
        can_remove: false,
        container_id: view.container.to_string(),
        detach_keys: spec.detach_keys.clone(),
        pid: view.pid.into(),
    }
}
