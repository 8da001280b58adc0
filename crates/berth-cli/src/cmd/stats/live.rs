//! The live table: a stream for each container, and the events that tell which there are.

use std::time::Duration;

use berth_api::Filters;
use berth_api::event::EventMessage;
use berth_api::stats::Stats;
use berth_client::{Client, EventsOptions};
use tokio::sync::mpsc;

use super::{Line, Wanted, present, render};
use crate::failure::{Failure, Outcome};
use crate::terminal;

/// Between two pictures.
const PERIOD: Duration = Duration::from_millis(500);

/// What comes in while the table is shown.
enum News {
    Sample(String, Box<Stats>),
    /// A stream has ended; with why, where that is an error.
    Ended(String, Option<String>),
    Event(Box<EventMessage>),
    /// The daemon has gone.
    Over,
}

/// Shows the table until there is nothing more to show.
pub(super) async fn follow(client: &Client, wanted: Wanted) -> Outcome {
    let (sender, mut news) = mpsc::channel(64);
    let mut table = Table { client: client.clone(), sender: sender.clone(), lines: Vec::new(), wanted };
    if table.wanted.names.is_empty() {
        // First, so that no container is missed between the list and the events.
        watch(client, sender).await?;
    }
    for container in present(client, &table.wanted).await? {
        table.add(container);
    }
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        tokio::select! {
            item = news.recv() => {
                let Some(item) = item else { return Ok(0) };
                if !table.take(item)? {
                    return Ok(0);
                }
            }
            _ = ticks.tick() => table.draw()?,
        }
    }
}

/// Passes on what happens to containers.
async fn watch(client: &Client, sender: mpsc::Sender<News>) -> Result<(), Failure> {
    let mut filters = Filters::default();
    filters.add("type", "container");
    let mut events = client.events(&EventsOptions { filters, ..EventsOptions::default() }).await?;
    tokio::spawn(async move {
        while let Some(Ok(event)) = events.next().await {
            if sender.send(News::Event(Box::new(event))).await.is_err() {
                return;
            }
        }
        drop(sender.send(News::Over).await);
    });
    Ok(())
}

struct Table {
    client: Client,
    sender: mpsc::Sender<News>,
    lines: Vec<Line>,
    wanted: Wanted,
}

impl Table {
    /// Another line, unless it is there.
    fn add(&mut self, container: String) {
        if self.lines.iter().any(|line| line.container == container) {
            return;
        }
        self.lines.push(Line { container: container.clone(), ..Line::default() });
        let (client, sender) = (self.client.clone(), self.sender.clone());
        tokio::spawn(async move {
            let mut error = None;
            match client.container_stats_stream(&container).await {
                Ok(mut samples) => {
                    while let Some(Ok(sample)) = samples.next().await {
                        if sender.send(News::Sample(container.clone(), Box::new(sample))).await.is_err() {
                            return;
                        }
                    }
                }
                Err(refusal) => error = Some(refusal.to_string()),
            }
            drop(sender.send(News::Ended(container, error)).await);
        });
    }

    fn remove(&mut self, container: &str) {
        self.lines.retain(|line| line.container != container);
    }

    /// False: there will be nothing more.
    fn take(&mut self, news: News) -> Result<bool, Failure> {
        let named = !self.wanted.names.is_empty();
        match news {
            News::Sample(container, sample) => {
                if let Some(line) = self.lines.iter_mut().find(|line| line.container == container) {
                    line.take(&sample);
                }
            }
            News::Ended(_, Some(error)) if named => return Err(Failure::new(error)),
            News::Ended(container, _) => {
                self.remove(&container);
                return Ok(!(named && self.lines.is_empty()));
            }
            News::Event(event) => match (event.action.as_str(), self.wanted.all) {
                ("create", true) | ("start", _) => self.add(event.actor.id.clone()),
                ("destroy", _) | ("die", false) => self.remove(&event.actor.id),
                _ => {}
            },
            News::Over => return Ok(false),
        }
        Ok(true)
    }

    /// Over the last picture where there is a terminal, below it elsewhere. The screen is never blank in between.
    fn draw(&self) -> Result<(), Failure> {
        let text = render(&self.lines, &self.wanted)?;
        if terminal::stdout_is_terminal() {
            let lines: String = text.lines().map(|line| format!("{line}\x1b[K\n")).collect();
            crate::print(&format!("\x1b[H{lines}\x1b[J"));
        } else if self.lines.iter().any(|line| !line.id.is_empty()) {
            crate::print(&text);
        }
        Ok(())
    }
}
