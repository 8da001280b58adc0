//! `images` and `image ls`.

mod tree;

use std::collections::BTreeMap;

use berth_api::image::ImageSummary;
use berth_client::ListImages;
use berth_oci::Reference;
use berth_template::Value;
use jiff::Timestamp;

use crate::cmd::{FORMAT_HELP, check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;
use crate::unit::{size, time};

pub(crate) const COMMAND: Command = Command {
    name: "images",
    usage: "images [OPTIONS] [REPOSITORY[:TAG]]",
    about: "List images",
    aliases: &["image ls", "image list", "images"],
    flags: &[
        Flag::switch("all", "Intermediate ones too").short('a'),
        Flag::switch("digests", "With digests"),
        Flag::typed("filter", "filter", check_filter, "Only those that match (name=value)").short('f'),
        Flag::text("format", FORMAT_HELP),
        Flag::switch("no-trunc", "Nothing shortened"),
        Flag::switch("quiet", "Only ids").short('q'),
        Flag::switch("tree", "Each with the images for its platforms"),
    ],
    args: Args::AtMost(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

/// Under its name within `image`.
pub(crate) const LS: Command = Command { name: "ls", usage: "ls [OPTIONS] [REPOSITORY[:TAG]]", ..COMMAND };

const NONE: &str = "<none>";
const TABLE: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
const DIGEST_TABLE: &str = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";

/// What `--format raw` means.
const RAW: &str = "repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\n\
                   virtual_size: {{.Size}}\n";
const RAW_DIGEST: &str = "repository: {{.Repository}}\ntag: {{.Tag}}\ndigest: {{.Digest}}\nimage_id: {{.ID}}\n\
                          created_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n";
const RAW_ID: &str = "image_id: {{.ID}}";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    if parsed.on("tree") {
        return tree(session, parsed);
    }
    let quiet = parsed.on("quiet");
    let given = match parsed.get("format") {
        Some(format) if !format.is_empty() => format.to_owned(),
        _ if quiet => String::new(),
        _ => session.config().images_format().to_owned(),
    };
    let default = if parsed.on("digests") { DIGEST_TABLE } else { TABLE };
    let raw = match (quiet, parsed.on("digests")) {
        (true, _) => RAW_ID,
        (false, true) => RAW_DIGEST,
        (false, false) => RAW,
    };
    let mut format = Format::parse_with_raw(&given, default, raw);
    if quiet && matches!(given.trim(), "" | "table") {
        format = Format::Template("{{.ID}}".to_owned());
    }
    let options = wanted(parsed);
    let client = session.client()?;
    let images = session.block_on(client.list_images(&options))??;
    let view = View {
        digests: parsed.on("digests") || format.mentions(".Digest"),
        truncate: !parsed.on("no-trunc"),
        now: Timestamp::now(),
    };
    let rows: Vec<Value> = images.iter().flat_map(|image| view.rows(image)).collect();
    crate::print(&format.render(&rows, &headings(), format::PARSING)?);
    Ok(0)
}

fn tree(session: &Session, parsed: &Parsed) -> Outcome {
    if let Some(other) = ["quiet", "no-trunc", "digests"].into_iter().find(|name| parsed.on(name)) {
        return Err(Failure::new(format!("--{other} does not go with --tree")));
    }
    if parsed.get("format").is_some_and(|format| !format.is_empty()) {
        return Err(Failure::new("--format does not go with --tree"));
    }
    let options = ListImages { manifests: true, ..wanted(parsed) };
    let client = session.client()?;
    let images = session.block_on(client.list_images(&options))??;
    crate::print(&tree::render(&images));
    Ok(0)
}

/// Which images are asked for.
fn wanted(parsed: &Parsed) -> ListImages {
    let mut wanted = filters(parsed);
    if let Some(reference) = parsed.args.first() {
        wanted.add("reference", reference);
    }
    ListImages { all: parsed.on("all"), digests: parsed.on("digests"), manifests: false, filters: wanted }
}

/// How images are shown.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) digests: bool,
    pub(crate) truncate: bool,
    pub(crate) now: Timestamp,
}

impl View {
    /// One row a tag (and digest, where those are shown); one for an image without name.
    pub(crate) fn rows(&self, image: &ImageSummary) -> Vec<Value> {
        let mut digests: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, digest) in image.repo_digests.iter().filter_map(|text| text.split_once('@')) {
            digests.entry(familiar(name)).or_default().push(digest);
        }
        let mut rows = Vec::new();
        let mut named = Vec::new();
        for (name, tag) in tags(image) {
            let name = familiar(name);
            match digests.get(&name).filter(|_| self.digests) {
                Some(list) => rows.extend(list.iter().map(|digest| self.row(image, &name, tag, digest))),
                None => rows.push(self.row(image, &name, tag, NONE)),
            }
            named.push(name);
        }
        for (name, list) in digests.iter().filter(|(name, _)| !named.contains(name) && *name != NONE) {
            let shown = if self.digests { &list[..] } else { &[NONE] };
            rows.extend(shown.iter().map(|digest| self.row(image, name, NONE, digest)));
        }
        if rows.is_empty() {
            rows.push(self.row(image, NONE, NONE, NONE));
        }
        rows
    }

    /// One row for an image, under its first name.
    pub(crate) fn first_row(&self, image: &ImageSummary) -> Value {
        let (name, tag) = tags(image).next().map_or((NONE.to_owned(), NONE), |(name, tag)| (familiar(name), tag));
        self.row(image, &name, tag, "")
    }

    fn row(&self, image: &ImageSummary, name: &str, tag: &str, digest: &str) -> Value {
        let id = match self.truncate {
            true => image.id.trim_start_matches("sha256:").chars().take(12).collect(),
            false => image.id.clone(),
        };
        let counted = |n: i64, text: String| if n < 0 { "N/A".to_owned() } else { text };
        let unique = image.size - image.shared_size.max(0);
        let virtual_size = image.virtual_size.filter(|n| *n > 0).unwrap_or(image.size);
        let fields = [
            ("Containers", counted(image.containers, image.containers.to_string())),
            ("CreatedAt", time::go_string(image.created)),
            ("CreatedSince", time::ago(image.created, self.now)),
            ("Digest", digest.to_owned()),
            ("ID", id),
            ("Repository", name.to_owned()),
            ("SharedSize", counted(image.shared_size, size::human4(image.shared_size))),
            ("Size", size::human3(image.size)),
            ("Tag", tag.to_owned()),
            ("UniqueSize", counted(image.shared_size, size::human4(unique))),
            ("VirtualSize", size::human4(virtual_size)),
        ];
        let members = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
        Value::record("*formatter.imageContext", members)
    }
}

/// An image's repositories and tags.
fn tags(image: &ImageSummary) -> impl Iterator<Item = (&str, &str)> {
    image.repo_tags.iter().filter_map(|text| text.rsplit_once(':')).filter(|(name, _)| *name != NONE)
}

fn familiar(name: &str) -> String {
    Reference::parse_name(name).map_or_else(|_| name.to_owned(), |r| r.familiar_name())
}

pub(crate) fn headings() -> Value {
    let fields = [
        ("Containers", "CONTAINERS"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedSince", "CREATED"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("SharedSize", "SHARED SIZE"),
        ("Size", "SIZE"),
        ("Tag", "TAG"),
        ("UniqueSize", "UNIQUE SIZE"),
        ("VirtualSize", "VIRTUAL SIZE"),
    ];
    crate::format::headings(fields)
}
