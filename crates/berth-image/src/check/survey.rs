//! Records against names on disk, at one moment: nothing is deleted meanwhile, and what somebody works with now is
//! left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_oci::{ChainId, Digest, ImageId};
use berth_state::Reader;

use super::{Containers, Object, Problem, ProblemKind, Waiting};
use crate::Result;
use crate::lease::Claims;
use crate::need::Needed;
use crate::record::{HoldRecord, ImageRecord, LayerRecord, NameRecord, hold_key};
use crate::store::Inner;

const REMOVE: &str = "`berth system check --repair` removes it";
const RESTART: &str = "the daemon removes it when it starts the next time";

/// What there is, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) images: usize,
    /// Recorded, and here.
    pub(super) layers: BTreeMap<ChainId, LayerRecord>,
    pub(super) blobs: BTreeSet<Digest>,
    pub(super) waiting: Waiting,
    pub(super) problems: Vec<Problem>,
    /// How users call the images that need something.
    pub(super) users: Users,
}

/// Who needs what, as users call it.
#[derive(Debug, Default)]
pub(super) struct Users {
    blobs: BTreeMap<Digest, String>,
    layers: BTreeMap<ChainId, String>,
}

impl Users {
    /// `berth pull NAME brings it again`, where there is a name to pull by.
    pub(super) fn pull_again(&self, name: Option<&String>) -> String {
        match name {
            Some(name) if !name.starts_with("sha256:") => format!("`berth pull {name}` brings it again"),
            Some(id) => format!("remove the image (`berth rmi {}`) and get it again", &id[7..19]),
            None => "nothing needs it now; `berth system check --repair` forgets it".into(),
        }
    }

    pub(super) fn of_blob(&self, digest: &Digest) -> Option<&String> {
        self.blobs.get(digest)
    }

    pub(super) fn of_layer(&self, chain: &ChainId) -> Option<&String> {
        self.layers.get(chain)
    }
}

impl Survey {
    /// Whether the object is still here, so that there can be something wrong with it.
    pub(super) fn has(&self, object: &Object) -> bool {
        match object {
            Object::Layer(chain) => self.layers.contains_key(chain),
            Object::Blob(digest) => self.blobs.contains(digest),
            _ => true,
        }
    }

    fn problem(&mut self, kind: ProblemKind, object: Object, why: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem { kind, object, why: why.into(), hint: hint.into(), repaired: false });
    }
}

/// Everything that is recorded.
struct Records {
    names: Vec<(String, NameRecord)>,
    images: BTreeMap<String, ImageRecord>,
    layers: Vec<(String, LayerRecord)>,
    holds: BTreeMap<String, HoldRecord>,
    needed: Needed,
}

impl Records {
    fn read(reader: &Reader<'_>) -> Result<Self> {
        Ok(Self {
            names: reader.list()?,
            images: reader.list()?.into_iter().collect(),
            layers: reader.list()?,
            holds: reader.list()?.into_iter().collect(),
            needed: Needed::read(reader)?,
        })
    }
}

pub(super) fn survey(inner: &Arc<Inner>, containers: Containers<'_>) -> Result<Survey> {
    // Deletions wait; whoever brings something has claimed it.
    let leases = inner.leases();
    let claims = leases.claims();
    let containers = containers();
    let records = inner.state.read(Records::read)?;
    let mut survey = Survey { images: records.images.len(), ..Survey::default() };
    survey.blobs = inner.content.list()?.into_iter().collect();
    let on_disk = inner.layers.list()?;
    drop(leases);
    names(&mut survey, &records);
    layers(&mut survey, &records, &on_disk, &claims);
    images(&mut survey, &records, &claims);
    blobs(&mut survey, inner, &records, &claims);
    holds(&mut survey, &records, &containers);
    files(&mut survey, inner)?;
    Ok(survey)
}

fn names(survey: &mut Survey, records: &Records) {
    let mut called: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, name) in &records.names {
        if !records.images.contains_key(name.image.as_str()) {
            let why = format!("it stands for image {}, which is not recorded", name.image);
            survey.problem(
                ProblemKind::Missing,
                Object::Name(key.clone()),
                why,
                format!("`berth pull {key}` brings it again"),
            );
        }
        // A tag rather than a digest.
        let entry = called.entry(name.image.as_str()).or_insert(key);
        if entry.contains('@') {
            *entry = key;
        }
    }
    for (id, image) in &records.images {
        let name = called.get(id.as_str()).copied().unwrap_or(id).to_owned();
        for blob in image.blobs() {
            survey.users.blobs.insert(blob.clone(), name.clone());
        }
        for chain in &image.layers {
            survey.users.layers.insert(chain.clone(), name.clone());
        }
    }
}

fn layers(survey: &mut Survey, records: &Records, on_disk: &BTreeSet<String>, claims: &Claims) {
    for (key, layer) in &records.layers {
        let Ok(chain) = ChainId::parse(key) else { continue };
        let again = survey.users.pull_again(survey.users.of_layer(&chain));
        if ChainId::extend(layer.parent.as_ref(), &layer.diff_id) != chain {
            let why = "its record names another layer below it or other contents than its name says";
            survey.problem(ProblemKind::Damaged, Object::Layer(chain), why, again);
            continue;
        }
        if !on_disk.contains(chain.hex()) {
            if !claims.layers.contains(&chain) {
                survey.problem(
                    ProblemKind::Missing,
                    Object::Layer(chain),
                    "it is recorded, and its files are not here",
                    again,
                );
            }
            continue;
        }
        if !records.needed.layer(&chain) {
            survey.waiting.layers += 1;
            survey.waiting.bytes += layer.size;
        }
        survey.layers.insert(chain, layer.clone());
    }
    for hex in on_disk {
        let Ok(chain) = ChainId::parse(&format!("sha256:{hex}")) else {
            survey.problem(ProblemKind::LeftOver, Object::File(format!("layers/{hex}")), "it is no layer", RESTART);
            continue;
        };
        let recorded = records.needed.recorded().any(|known| *known == chain);
        if !recorded && !claims.layers.contains(&chain) {
            survey.problem(ProblemKind::LeftOver, Object::Layer(chain), "no record knows it", REMOVE);
        }
    }
}

fn images(survey: &mut Survey, records: &Records, claims: &Claims) {
    for (id, image) in &records.images {
        let missing: Vec<&ChainId> =
            image.layers.iter().filter(|chain| !records.needed.recorded().any(|c| c == *chain)).collect();
        for chain in missing {
            if claims.layers.contains(chain) {
                continue;
            }
            let again = survey.users.pull_again(survey.users.of_layer(chain));
            let why = format!("image {id} needs it, and it is not recorded");
            survey.problem(ProblemKind::Missing, Object::Layer(chain.clone()), why, again);
        }
        for document in image.documents().filter(|digest| !survey.blobs.contains(digest)).cloned().collect::<Vec<_>>() {
            let again = survey.users.pull_again(survey.users.of_blob(&document));
            let why = format!("it is the manifest, the configuration or the list of image {id}");
            survey.problem(ProblemKind::Missing, Object::Blob(document), why, again);
        }
    }
}

fn blobs(survey: &mut Survey, inner: &Inner, records: &Records, claims: &Claims) {
    for (key, layer) in records.layers.iter().filter(|(_, layer)| layer.kept) {
        let digest = &layer.blob.digest;
        // Layers of earlier versions: what was made here has no blob and is not said to have none.
        if claims.blobs.contains(digest) || (digest == layer.diff_id.digest() && !survey.blobs.contains(digest)) {
            continue;
        }
        let again = survey.users.pull_again(survey.users.of_blob(digest));
        match inner.content.size(digest) {
            None => {
                let why = format!("it is the compressed form of layer {key}");
                survey.problem(ProblemKind::Missing, Object::Blob(digest.clone()), why, again);
            }
            Some(size) if size != layer.blob.size => {
                let why = format!("it has {size} bytes and should have {}", layer.blob.size);
                let hint = format!("`berth system check --repair` removes it; then {again}");
                survey.problem(ProblemKind::Damaged, Object::Blob(digest.clone()), why, hint);
            }
            Some(_) => {}
        }
    }
    let left: Vec<Digest> =
        survey.blobs.iter().filter(|b| !records.needed.blob(b) && !claims.blobs.contains(b)).cloned().collect();
    for digest in left {
        survey.problem(ProblemKind::LeftOver, Object::Blob(digest), "no image and no layer needs it", REMOVE);
    }
}

fn holds(survey: &mut Survey, records: &Records, containers: &[(ImageId, String)]) {
    let wanted: BTreeSet<String> = containers.iter().map(|(image, container)| hold_key(image, container)).collect();
    for (image, container) in containers {
        if !records.holds.contains_key(&hold_key(image, container)) {
            let object = Object::Hold { image: image.clone(), container: container.clone() };
            let hint = "`berth system check --repair` makes it, if the image is here";
            survey.problem(ProblemKind::Missing, object, "the container is here, and nothing keeps its image", hint);
        }
    }
    for (key, hold) in &records.holds {
        let Some(image) = key.split('/').next().and_then(|id| ImageId::parse(id).ok()) else { continue };
        let object = Object::Hold { image, container: hold.container.clone() };
        if !wanted.contains(key) {
            survey.problem(ProblemKind::LeftOver, object, "there is no such container", REMOVE);
            continue;
        }
        for chain in hold.layers.iter().filter(|chain| !records.needed.recorded().any(|c| c == *chain)) {
            let why = format!("container {} stands on it, and it is not recorded", hold.container);
            let again = survey.users.pull_again(survey.users.of_layer(chain));
            survey.problem(ProblemKind::Missing, Object::Layer(chain.clone()), why, again);
        }
    }
}

/// What is on its way in belongs to this process, or to nobody.
fn files(survey: &mut Survey, inner: &Inner) -> Result<()> {
    for partial in inner.content.partials()? {
        survey.waiting.blobs += 1;
        survey.waiting.bytes += partial.size;
    }
    let ours = format!("{}-", std::process::id());
    let places = [("content/ingest", inner.content.unfinished()?), ("layers/incoming", inner.layers.unfinished()?)];
    for (place, name) in places.iter().flat_map(|(place, names)| names.iter().map(move |name| (place, name))) {
        if !name.starts_with(&ours) {
            let object = Object::File(format!("{place}/{name}"));
            survey.problem(ProblemKind::LeftOver, object, "it is half of something, and nobody is at it", RESTART);
        }
    }
    Ok(())
}
