//! The files: JSON or YAML, as the CDI specification (version 0.8 and before) lays them out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use yaml_rust2::{Yaml, YamlLoader};

/// Every device there is, by its full name `vendor.com/class=name`.
#[derive(Debug, Default)]
pub(super) struct Registry {
    devices: BTreeMap<String, Device>,
    /// What is wrong with which file.
    errors: Vec<String>,
}

/// A device, with what its file says of all its devices.
#[derive(Debug, Clone)]
pub(super) struct Device {
    /// `vendor.com/class`.
    pub(super) kind: String,
    /// The file it stands in: what that says of all devices is done once.
    pub(super) file: PathBuf,
    pub(super) common: Edits,
    pub(super) own: Edits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    cdi_version: String,
    kind: String,
    #[serde(default)]
    devices: Vec<Named>,
    #[serde(default)]
    container_edits: Edits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    name: String,
    #[serde(default)]
    container_edits: Edits,
}

/// What a container needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Edits {
    pub(super) env: Vec<String>,
    pub(super) device_nodes: Vec<Node>,
    pub(super) hooks: Vec<Hook>,
    pub(super) mounts: Vec<Mount>,
    #[serde(rename = "additionalGids")]
    pub(super) additional_gids: Vec<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Node {
    pub(super) path: String,
    pub(super) host_path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) major: i64,
    pub(super) minor: i64,
    pub(super) file_mode: Option<u32>,
    pub(super) permissions: String,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Hook {
    pub(super) hook_name: String,
    pub(super) path: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) timeout: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Mount {
    pub(super) host_path: String,
    pub(super) container_path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) options: Vec<String>,
}

impl Registry {
    /// Reads every `.json` and `.yaml` file of the directories. One that cannot be read is told when a device is missing.
    pub(super) fn read(directories: &[PathBuf]) -> Self {
        let mut registry = Self::default();
        for directory in directories {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
            files.sort();
            for path in files {
                let result = match path.extension().and_then(|e| e.to_str()) {
                    Some("json") => registry.add(&path, from_json),
                    Some("yaml" | "yml") => registry.add(&path, from_yaml),
                    _ => Ok(()),
                };
                if let Err(why) = result {
                    registry.errors.push(format!("{}: {why}", path.display()));
                }
            }
        }
        registry
    }

    fn add(&mut self, path: &Path, parse: fn(&str) -> Result<Value, String>) -> Result<(), String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let file: File = serde_json::from_value(parse(&text)?).map_err(|error| error.to_string())?;
        if file.cdi_version.is_empty() {
            return Err("cdiVersion is missing".to_owned());
        }
        if !is_kind(&file.kind) {
            return Err(format!("{:?} is no vendor.com/class", file.kind));
        }
        for Named { name, container_edits } in file.devices {
            let device = Device {
                kind: file.kind.clone(),
                file: path.to_owned(),
                common: file.container_edits.clone(),
                own: container_edits,
            };
            self.devices.insert(format!("{}={name}", file.kind), device);
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Device> {
        self.devices.get(name)
    }

    /// The names of a kind's devices, without the kind.
    pub(super) fn names<'a>(&'a self, kind: &str) -> Vec<&'a str> {
        let prefix = format!("{kind}=");
        self.devices.keys().filter_map(|name| name.strip_prefix(prefix.as_str())).collect()
    }

    /// The kinds whose class is `class`.
    pub(super) fn kinds(&self, class: &str) -> Vec<&str> {
        let has = |kind: &&str| kind.split_once('/').is_some_and(|(_, own)| own == class);
        let mut kinds: Vec<&str> = self.devices.values().map(|device| device.kind.as_str()).filter(has).collect();
        kinds.dedup();
        kinds
    }

    pub(super) fn errors(&self) -> &[String] {
        &self.errors
    }
}

fn is_kind(kind: &str) -> bool {
    let word = |text: &str, more: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    kind.split_once('/').is_some_and(|(vendor, class)| word(vendor, "_-.") && word(class, "_-."))
}

fn from_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn from_yaml(text: &str) -> Result<Value, String> {
    let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
    documents.first().map_or_else(|| Err("it is empty".to_owned()), value)
}

fn value(yaml: &Yaml) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::String(text) => Value::from(text.as_str()),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Boolean(truth) => Value::from(*truth),
        Yaml::Real(text) => Value::from(text.parse::<f64>().map_err(|_| format!("{text} is no number"))?),
        Yaml::Array(items) => Value::Array(items.iter().map(value).collect::<Result<_, _>>()?),
        Yaml::Hash(pairs) => {
            let mut map = Map::new();
            for (key, item) in pairs {
                let key = key.as_str().ok_or("a key is no text")?;
                map.insert(key.to_owned(), value(item)?);
            }
            Value::Object(map)
        }
        Yaml::Null | Yaml::Alias(_) | Yaml::BadValue => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    const YAML: &str = "\
cdiVersion: 0.5.0
kind: vendor.com/gpu
containerEdits:
  env: [COMMON=1]
devices:
- name: \"0\"
  containerEdits:
    deviceNodes:
    - path: /dev/gpu0
      major: 1
      minor: 3
      type: c
    mounts:
    - hostPath: /lib/x
      containerPath: /usr/lib/x
      options: [ro, nosuid]
    hooks:
    - hookName: createContainer
      path: /bin/hook
      args: [hook, --x]
- name: all
";

    #[test]
    fn yaml_and_json_say_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a.yaml"), YAML).unwrap();
        fs::write(path("b.txt"), "not ours").unwrap();
        let registry = Registry::read(&[directory.path().to_owned(), "/no/such/directory".into()]);
        assert_eq!(registry.errors(), Vec::<String>::new());
        assert_eq!(registry.names("vendor.com/gpu"), ["0", "all"]);
        assert_eq!(registry.kinds("gpu"), ["vendor.com/gpu"]);
        let device = registry.get("vendor.com/gpu=0").unwrap().clone();
        assert_eq!(device.common.env, ["COMMON=1"]);
        assert_eq!((device.own.device_nodes[0].major, device.own.device_nodes[0].kind.as_str()), (1, "c"));
        assert_eq!(device.own.mounts[0].options, ["ro", "nosuid"]);
        fs::remove_file(path("a.yaml")).unwrap();
        fs::write(path("a.json"), from_yaml(YAML).unwrap().to_string()).unwrap();
        let again = Registry::read(&[directory.path().to_owned()]);
        assert_eq!(again.get("vendor.com/gpu=0").unwrap().own, device.own);
    }

    #[test]
    fn broken_files_are_told_and_spoil_no_other() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a.json", "{"),
            ("b.yaml", ": : :\n- x"),
            ("c.json", r#"{"kind": "vendor.com/gpu"}"#),
            ("d.json", r#"{"cdiVersion": "0.5.0", "kind": "gpu"}"#),
            ("e.yaml", ""),
        ] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        fs::write(directory.path().join("z.yaml"), YAML).unwrap();
        let registry = Registry::read(&[directory.path().to_owned()]);
        assert_eq!(registry.errors().len(), 5, "{:?}", registry.errors());
        assert!(registry.get("vendor.com/gpu=all").is_some());
    }
}
