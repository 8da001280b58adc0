//! `history`: how an image came to be, step by step.

use berth_oci::{History, ImageId};

use crate::record::LayerRecord;
use crate::resolve::names;
use crate::{Image, ImageStore, Result, family};

/// One step of an image's making.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// The image that it made, where that is here.
    pub image: Option<ImageId>,
    /// When, RFC 3339, where the image says.
    pub created: Option<String>,
    /// By which instruction.
    pub created_by: String,
    /// What was said of it.
    pub comment: String,
    /// The tags of the image that it made.
    pub tags: Vec<String>,
    /// Bytes of the layer that it made; none made, none counted.
    pub size: u64,
}

impl ImageStore {
    /// The steps of an image's making, the last one first.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn history(&self, image: &Image) -> Result<Vec<Step>> {
        self.inner.state.read(|reader| {
            let mut sizes = Vec::with_capacity(image.layers.len());
            for chain in &image.layers {
                sizes.push(reader.get::<LayerRecord>(chain.as_str())?.map_or(0, |layer| layer.size));
            }
            let mut steps = steps(&image.config.history, &sizes);
            let mut made = Some(image.id.clone());
            // Each commit is one step: so the parents are the steps below.
            for step in &mut steps {
                let Some(id) = made.take() else { break };
                step.tags = tags(&names(reader, &id)?);
                made = family::parent(reader, &id)?;
                step.image = Some(id);
            }
            Ok(steps)
        })
    }
}

fn tags(names: &[berth_oci::Reference]) -> Vec<String> {
    let mut tags: Vec<String> = names.iter().filter(|n| n.digest().is_none()).map(|n| n.familiar()).collect();
    tags.sort_unstable();
    tags
}

/// What a configuration says of its steps, and the sizes of their layers (bottom first). Layers that it says nothing
/// of are steps too: a history is not obligatory, and often cut.
fn steps(history: &[History], sizes: &[u64]) -> Vec<Step> {
    let mut sizes = sizes.iter().copied();
    let mut steps: Vec<Step> = history
        .iter()
        .map(|step| Step {
            created: step.created.clone(),
            created_by: step.created_by.clone(),
            comment: step.comment.clone(),
            size: if step.empty_layer { 0 } else { sizes.next().unwrap_or(0) },
            ..Step::default()
        })
        .collect();
    steps.extend(sizes.map(|size| Step { size, ..Step::default() }));
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_and_steps() {
        let step = |by: &str, empty_layer| History { created_by: by.into(), empty_layer, ..History::default() };
        let shown = |history: &[History], sizes: &[u64]| -> Vec<(String, u64)> {
            steps(history, sizes).into_iter().map(|step| (step.created_by, step.size)).collect()
        };
        let row = |by: &str, size| (by.to_owned(), size);
        let three = [step("add", false), step("cmd", true), step("run", false)];
        assert_eq!(shown(&three, &[7, 9]), [row("run", 9), row("cmd", 0), row("add", 7)]);
        assert_eq!(shown(&three, &[7]), [row("run", 0), row("cmd", 0), row("add", 7)]);
        assert_eq!(shown(&[], &[7, 9]), [row("", 9), row("", 7)]);
        assert_eq!(shown(&three[..1], &[7, 9]), [row("", 9), row("add", 7)]);
    }
}
