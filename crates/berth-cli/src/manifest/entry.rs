//! One image of a list: its manifest's very bytes, what describes them, and the platform the user says it is for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_oci::{Descriptor, Digest, Platform, media};
use berth_template::{Shape, Value, to_json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a file of the store holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    /// The image's name in full.
    #[serde(rename = "Ref")]
    pub(crate) reference: String,
    pub(crate) descriptor: Described,
    /// The manifest's bytes, in base64.
    raw: String,
    /// The manifest again, for people, under the name of its kind.
    #[serde(rename = "SchemaV2Manifest", default, skip_serializing_if = "Option::is_none")]
    docker: Option<Box<RawValue>>,
    #[serde(rename = "OCIManifest", default, skip_serializing_if = "Option::is_none")]
    oci: Option<Box<RawValue>>,
}

/// A descriptor, its members in the order that Docker writes them in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Runs>,
}

/// What an image runs on, its members in the order that Docker writes them in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Runs {
    pub(crate) architecture: String,
    pub(crate) os: String,
    #[serde(rename = "os.version", skip_serializing_if = "String::is_empty")]
    pub(crate) os_version: String,
    #[serde(rename = "os.features", skip_serializing_if = "Vec::is_empty")]
    pub(crate) os_features: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) variant: String,
}

impl From<Platform> for Runs {
    fn from(platform: Platform) -> Self {
        Self {
            architecture: platform.architecture,
            os: platform.os,
            os_version: platform.os_version,
            os_features: platform.os_features,
            variant: platform.variant,
        }
    }
}

impl Entry {
    /// An image of a registry; `bytes` are its manifest.
    pub(crate) fn new(reference: String, media_type: &str, bytes: &[u8], runs: Option<Runs>) -> Result<Self, String> {
        let described = Descriptor::of(media_type, bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| format!("the manifest of {reference} is no text"))?;
        let value =
            Value::from_json(text, &Shape::default()).map_err(|e| format!("the manifest of {reference}: {e}"))?;
        let shown = Some(RawValue::from_string(to_json(&value)).map_err(|e| e.to_string())?);
        let docker = media_type == media::DOCKER_MANIFEST;
        Ok(Self {
            reference,
            descriptor: Described {
                media_type: described.media_type,
                digest: described.digest,
                size: described.size,
                platform: runs,
            },
            raw: STANDARD.encode(bytes),
            docker: shown.clone().filter(|_| docker),
            oci: shown.filter(|_| !docker),
        })
    }

    /// The manifest's bytes; they are what the descriptor says.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, String> {
        let bytes = STANDARD.decode(&self.raw).map_err(|e| format!("the manifest kept of {}: {e}", self.reference))?;
        match self.descriptor.digest.matches(&bytes) {
            true => Ok(bytes),
            false => Err(format!("the manifest kept of {} is not {}", self.reference, self.descriptor.digest)),
        }
    }
}

/// The kind of list that holds these images: that of the first.
pub(crate) fn list_type<'a>(media_types: impl IntoIterator<Item = &'a str>) -> &'static str {
    match media_types.into_iter().next().is_some_and(|kind| kind == media::OCI_MANIFEST) {
        true => media::OCI_INDEX,
        false => media::DOCKER_LIST,
    }
}

/// A list as Docker writes it, to the byte: its digest is that of these bytes.
pub(crate) fn list_bytes(media_type: &str, entries: &[Described]) -> Result<Vec<u8>, String> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct List<'a> {
        schema_version: u32,
        media_type: &'a str,
        manifests: Vec<Line<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Line<'a> {
        media_type: &'a str,
        size: u64,
        digest: &'a Digest,
        platform: Runs,
    }
    fn line(entry: &Described) -> Line<'_> {
        let Described { media_type, digest, size, platform } = entry;
        Line { media_type, size: *size, digest, platform: platform.clone().unwrap_or_default() }
    }
    let list = List { schema_version: 2, media_type, manifests: entries.iter().map(line).collect() };
    let mut text = Vec::new();
    let style = serde_json::ser::PrettyFormatter::with_indent(b"   ");
    list.serialize(&mut serde_json::Serializer::with_formatter(&mut text, style)).map_err(|e| e.to_string())?;
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn written_as_docker_writes_it() {
        let manifest = "{\n \"schemaVersion\": 2,\n \"layers\": [],\n \"config\": {\"size\": 3}}";
        let runs = Runs { architecture: "arm64".into(), os: "linux".into(), variant: "v8".into(), ..Runs::default() };
        let entry = Entry::new("h/a:latest".into(), media::DOCKER_MANIFEST, manifest.as_bytes(), Some(runs)).unwrap();
        assert_eq!(entry.bytes().unwrap(), manifest.as_bytes());
        let (digest, raw) = (Digest::of(manifest.as_bytes()), STANDARD.encode(manifest));
        let expected = format!(
            r#"{{"Ref":"h/a:latest","Descriptor":{{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"{digest}","size":{},"platform":{{"architecture":"arm64","os":"linux","variant":"v8"}}}},"Raw":"{raw}","SchemaV2Manifest":{{"schemaVersion":2,"layers":[],"config":{{"size":3}}}}}}"#,
            manifest.len()
        );
        assert_eq!(serde_json::to_string(&entry).unwrap(), expected);
        let read: Entry = serde_json::from_str(&expected).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), expected);
        let other = Entry { raw: STANDARD.encode("{}"), ..read };
        assert!(other.bytes().unwrap_err().contains("is not sha256:"));
        let list = list_bytes(media::DOCKER_LIST, &[entry.descriptor]).unwrap();
        let expected = format!(
            "{{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"application/vnd.docker.distribution.manifest.list.v2+json\",\n   \
             \"manifests\": [\n      {{\n         \"mediaType\": \"application/vnd.docker.distribution.manifest.v2+json\",\n         \
             \"size\": {},\n         \"digest\": \"{digest}\",\n         \"platform\": {{\n            \"architecture\": \
             \"arm64\",\n            \"os\": \"linux\",\n            \"variant\": \"v8\"\n         }}\n      }}\n   ]\n}}",
            manifest.len()
        );
        assert_eq!(String::from_utf8(list).unwrap(), expected);
    }

    #[test]
    fn the_first_image_says_what_list() {
        assert_eq!(list_type([media::DOCKER_MANIFEST, media::OCI_MANIFEST]), media::DOCKER_LIST);
        assert_eq!(list_type([media::OCI_MANIFEST, media::DOCKER_MANIFEST]), media::OCI_INDEX);
    }
}
