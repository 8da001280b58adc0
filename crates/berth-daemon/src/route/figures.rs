//! What a container uses, and its processes.

use std::time::Duration;

use berth_api::stats::{Stats, Top};
use berth_engine::{Containers, Error, Figures};
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use tokio::time::Instant;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::stats;

/// Between two samples.
const SECOND: Duration = Duration::from_secs(1);

/// `GET /containers/{name}/top`
pub(crate) async fn top(call: Call) -> Result<Answer, ApiError> {
    let arguments: Vec<String> = call.query.text("ps_args").split_whitespace().map(str::to_owned).collect();
    let table = call.daemon.engine.containers().top(call.name(), arguments).await?;
    Ok(answer::json(StatusCode::OK, &Top { processes: table.rows, titles: table.titles }))
}

/// `GET /containers/{name}/stats`: for ever, or once (after a second, so that there is something to compare with).
pub(crate) async fn stats(call: Call) -> Result<Answer, ApiError> {
    let containers = call.daemon.engine.containers();
    let id = containers.inspect(call.name())?.id.to_string();
    let streams = call.query.text("stream").is_empty() || call.query.flag("stream");
    let one_shot = call.query.flag("one-shot");
    if streams && one_shot {
        return Err(ApiError::invalid("cannot have stream=true and one-shot=true"));
    }
    let mut sampler = Sampler { containers, id, before: None, due: Instant::now() };
    if streams {
        let lines = stream::unfold(sampler, |mut sampler| async move {
            let line = answer_line(&sampler.next().await?);
            Some((line, sampler))
        });
        return Ok(answer::stream("application/json", lines));
    }
    if !one_shot && sampler.running() {
        sampler.next().await;
    }
    let last = sampler.next().await.ok_or_else(|| Error::NoSuchContainer(call.name().to_owned()))?;
    Ok(answer::json(StatusCode::OK, &last))
}

fn answer_line(stats: &Stats) -> Bytes {
    let mut text = serde_json::to_vec(stats).unwrap_or_default();
    text.push(b'\n');
    Bytes::from(text)
}

/// Takes samples a second apart.
struct Sampler {
    containers: Containers,
    id: String,
    before: Option<Figures>,
    due: Instant,
}

impl Sampler {
    fn running(&self) -> bool {
        self.containers.inspect(&self.id).is_ok_and(|view| view.state.is_alive())
    }

    /// The next one; nothing but names while it does not run, `None` once it is gone.
    async fn next(&mut self) -> Option<Stats> {
        tokio::time::sleep_until(self.due).await;
        self.due = Instant::now() + SECOND;
        let view = self.containers.inspect(&self.id).ok()?;
        match self.containers.stats(&self.id).await {
            Ok(figures) => {
                let shown = stats::stats(&view, &figures, self.before.as_ref());
                self.before = Some(figures);
                Some(shown)
            }
            Err(error) => {
                tracing::debug!(id = self.id, error = error.chain(), "no figures");
                self.before = None;
                Some(stats::nothing(&view))
            }
        }
    }
}
