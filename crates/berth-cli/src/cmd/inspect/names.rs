//! What templates may name besides the members of the JSON: Docker's templates see Go's structs, whose fields are
//! there when the JSON leaves them out, and some of which have another name there.

use std::rc::Rc;

use berth_template::Value;

/// Fields of a container's `HostConfig`: their names in Go and in JSON.
const HOST: [(&str, &str); 8] = [
    ("CPUShares", "CpuShares"),
    ("NanoCPUs", "NanoCpus"),
    ("CPUPeriod", "CpuPeriod"),
    ("CPUQuota", "CpuQuota"),
    ("CPURealtimePeriod", "CpuRealtimePeriod"),
    ("CPURealtimeRuntime", "CpuRealtimeRuntime"),
    ("CPUCount", "CpuCount"),
    ("CPUPercent", "CpuPercent"),
];

fn host_config(value: Value) -> Value {
    let Value::Object(object) = &value else { return value };
    let aliases = HOST.map(|(go, json)| (go.to_owned(), object.get(json).cloned().unwrap_or_default()));
    value.named("", aliases.into())
}

/// The object with the fields that its kind has in Go; `struct_only`: errors name the struct.
pub(super) fn with_go_names(kind: &str, struct_only: bool, value: Value) -> Value {
    let Value::Object(object) = &value else { return value };
    let alias = |name: &str| object.get(name).cloned().unwrap_or_default();
    let (type_name, fields) = match kind {
        "container" => ("", vec![("ID", alias("Id")), ("SizeRw", Value::Nil), ("SizeRootFs", Value::Nil)]),
        "image" => {
            let texts = ["Container", "Variant", "OsVersion", "Created"].map(|name| (name, Value::text("")));
            let mut fields = vec![("ID", alias("Id")), ("VirtualSize", Value::Int(0)), ("ContainerConfig", Value::Nil)];
            fields.extend(texts);
            ("", fields)
        }
        "network" => ("", vec![("ID", alias("Id"))]),
        "volume" => (
            if struct_only { "volume.Volume" } else { "" },
            vec![("Status", Value::NilMap), ("UsageData", Value::Nil), ("ClusterVolume", Value::Nil)],
        ),
        _ => return value,
    };
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    match value.named(type_name, fields) {
        Value::Object(object) if kind == "container" => {
            let mut object = Rc::unwrap_or_clone(object);
            for (_, member) in object.members.iter_mut().filter(|(name, _)| name == "HostConfig") {
                *member = host_config(std::mem::take(member));
            }
            Value::Object(Rc::new(object))
        }
        value => value,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use berth_template::{Shape, Template};

    use super::*;

    #[test]
    fn names_of_go_and_of_json() {
        let value = Value::from_json(r#"{"Id":"abc","Created":"now"}"#, &Shape::default()).unwrap();
        let image = with_go_names("image", true, value);
        let text = Template::parse("{{.ID}} {{.Id}} {{.Created}} {{.VirtualSize}}|{{.Variant}}|{{json .}}").unwrap();
        assert_eq!(text.render(&image).unwrap(), r#"abc abc now 0||{"Id":"abc","Created":"now"}"#);
        let value = Value::from_json(r#"{"HostConfig":{"NanoCpus":5}}"#, &Shape::default()).unwrap();
        let container = with_go_names("container", true, value);
        let text = Template::parse("{{.HostConfig.NanoCPUs}} {{json .HostConfig}}").unwrap();
        assert_eq!(text.render(&container).unwrap(), r#"5 {"NanoCpus":5}"#);
    }
}
