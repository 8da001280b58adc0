//! What a container starts from, merged by threes.

use std::collections::BTreeMap;

use berth_oci::ContainerConfig;

/// `image` was made on `old` and goes onto `new`: what it has as `old` has it becomes what `new` has.
pub(super) fn three(old: &ContainerConfig, image: &ContainerConfig, new: &ContainerConfig) -> ContainerConfig {
    // An entrypoint of one's own goes with one's own arguments: the base's would mean something else.
    let own_command = image.entrypoint != old.entrypoint;
    let cmd = match own_command {
        true => image.cmd.clone(),
        false => one(&old.cmd, &image.cmd, &new.cmd),
    };
    ContainerConfig {
        user: one(&old.user, &image.user, &new.user),
        exposed_ports: maps(&old.exposed_ports, &image.exposed_ports, &new.exposed_ports),
        env: environment(&old.env, &image.env, &new.env),
        entrypoint: one(&old.entrypoint, &image.entrypoint, &new.entrypoint),
        cmd,
        volumes: maps(&old.volumes, &image.volumes, &new.volumes),
        working_dir: one(&old.working_dir, &image.working_dir, &new.working_dir),
        labels: maps(&old.labels, &image.labels, &new.labels),
        stop_signal: one(&old.stop_signal, &image.stop_signal, &new.stop_signal),
        stop_timeout: one(&old.stop_timeout, &image.stop_timeout, &new.stop_timeout),
        healthcheck: one(&old.healthcheck, &image.healthcheck, &new.healthcheck),
        on_build: one(&old.on_build, &image.on_build, &new.on_build),
        shell: one(&old.shell, &image.shell, &new.shell),
        extra: image.extra.clone(),
    }
}

fn one<T: Clone + PartialEq>(old: &T, image: &T, new: &T) -> T {
    if image == old { new.clone() } else { image.clone() }
}

type Map<V> = Option<BTreeMap<String, V>>;

fn maps<V: Clone + PartialEq>(old: &Map<V>, image: &Map<V>, new: &Map<V>) -> Map<V> {
    let empty = BTreeMap::new();
    let of = |map: &'_ Map<V>| map.clone().unwrap_or_else(|| empty.clone());
    let (old, image, mut merged) = (of(old), of(image), of(new));
    merged.retain(|key, _| image.contains_key(key) || !old.contains_key(key));
    merged.extend(image.into_iter().filter(|(key, value)| old.get(key) != Some(value)));
    Some(merged).filter(|merged| !merged.is_empty())
}

/// Variable by variable, the base's first.
fn environment(
    old: &Option<Vec<String>>,
    image: &Option<Vec<String>>,
    new: &Option<Vec<String>>,
) -> Option<Vec<String>> {
    let list = |env: &Option<Vec<String>>| env.clone().unwrap_or_default();
    let (old, image) = (list(old), list(image));
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let has = |env: &[String], wanted: &str| env.iter().any(|variable| name(variable) == wanted);
    let mut merged: Vec<String> = list(new);
    merged.retain(|variable| has(&image, &name(variable)) || !has(&old, &name(variable)));
    for variable in image.iter().filter(|variable| !old.contains(variable)) {
        match merged.iter_mut().find(|other| name(other) == name(variable)) {
            Some(place) => *place = variable.clone(),
            None => merged.push(variable.clone()),
        }
    }
    Some(merged).filter(|merged| !merged.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().map(|item| (*item).to_owned()).collect())
    }

    #[test]
    fn what_the_image_changed_stays_and_the_rest_follows() {
        let old = ContainerConfig {
            env: list(&["PATH=/old", "V=1", "GONE=1", "DROPPED=1"]),
            cmd: list(&["sh"]),
            user: "root".into(),
            labels: Some([("base".to_owned(), "1".to_owned())].into()),
            ..ContainerConfig::default()
        };
        let image = ContainerConfig {
            env: list(&["PATH=/old", "V=mine", "GONE=1", "OWN=1"]),
            cmd: list(&["app"]),
            labels: Some([("base".to_owned(), "1".to_owned()), ("own".to_owned(), "x".to_owned())].into()),
            ..old.clone()
        };
        let new = ContainerConfig {
            env: list(&["PATH=/new", "V=2", "MORE=1", "DROPPED=2"]),
            cmd: list(&["bash"]),
            user: "new".into(),
            labels: Some([("base".to_owned(), "2".to_owned())].into()),
            ..old.clone()
        };
        let merged = three(&old, &image, &new);
        assert_eq!(merged.env, list(&["PATH=/new", "V=mine", "MORE=1", "OWN=1"]));
        assert_eq!((merged.cmd, merged.user.as_str()), (list(&["app"]), "new"));
        let labels: Vec<(String, String)> = merged.labels.into_iter().flatten().collect();
        assert_eq!(labels, [("base".to_owned(), "2".to_owned()), ("own".to_owned(), "x".to_owned())]);
    }

    #[test]
    fn an_entrypoint_takes_its_arguments_along() {
        let old = ContainerConfig { cmd: list(&["sh"]), ..ContainerConfig::default() };
        let image = ContainerConfig { entrypoint: list(&["app"]), ..ContainerConfig::default() };
        let new = ContainerConfig { cmd: list(&["bash"]), ..ContainerConfig::default() };
        assert_eq!((three(&old, &image, &new).entrypoint, three(&old, &image, &new).cmd), (list(&["app"]), None));
        assert_eq!(three(&old, &old, &new).cmd, list(&["bash"]));
    }
}
