//! The daemon's own log on standard error: its format, and its level, which a reload may change.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people; coloured where a terminal shows it, unless raw.
    Text {
        /// Never coloured.
        raw: bool,
    },
    /// An object a line, with `level`, `msg` and `time`.
    Json,
}

/// Changes the level of the log.
#[derive(Debug, Clone)]
pub(crate) struct Dial(reload::Handle<LevelFilter, Registry>);

impl Dial {
    pub(crate) fn set(&self, level: Level) {
        // The log lives as long as the process, so the handle always finds it.
        let _ = self.0.reload(LevelFilter::from_level(level));
    }
}

/// Begins to log.
pub(crate) fn open(format: Format, level: Level) -> Dial {
    let (filter, handle) = reload::Layer::new(LevelFilter::from_level(level));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        Format::Json => registry.with(Json).init(),
        Format::Text { raw } => {
            let colours = !raw && std::io::stderr().is_terminal();
            let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            registry.with(text.with_ansi(colours).with_target(false)).init();
        }
    }
    Dial(handle)
}

/// Writes objects.
struct Json;

impl<S: Subscriber> Layer<S> for Json {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut line =
            line(*event.metadata().level(), &jiff::Timestamp::now().to_string(), |fields| event.record(fields));
        line.push(b'\n');
        // A log that cannot be written has nowhere to say so.
        let _ = std::io::stderr().write_all(&line);
    }
}

fn line(level: Level, time: &str, record: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let mut fields = Fields(Map::new());
    let level = if level == Level::WARN { "warning".to_owned() } else { level.as_str().to_ascii_lowercase() };
    record(&mut fields);
    fields.0.insert("level".to_owned(), level.into());
    fields.0.insert("time".to_owned(), time.into());
    serde_json::to_vec(&fields.0).unwrap_or_default()
}

/// An event's fields; the message is `msg`.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_objects() {
        let line = line(Level::WARN, "T", |fields| {
            fields.0.insert("msg".to_owned(), "a \"b\"\nc".into());
        });
        let text = String::from_utf8_lossy(&line);
        assert_eq!(text, r#"{"level":"warning","msg":"a \"b\"\nc","time":"T"}"#);
    }
}
