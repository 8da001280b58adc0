//! `manifest annotate`: what an image of a list is for, where its own word is wrong or missing.

use berth_oci::Platform;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::manifest::{Store, reference};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "annotate",
    usage: "annotate [OPTIONS] MANIFEST_LIST MANIFEST",
    about: "Say what an image of a list runs on",
    aliases: &[],
    flags: &[
        Flag::text("arch", "Architecture (amd64, arm64, …)"),
        Flag::text("os", "Operating system"),
        Flag::typed("os-features", "strings", |_| Ok(()), "Features of the operating system"),
        Flag::text("os-version", "Version of the operating system"),
        Flag::text("variant", "Variant of the architecture (v8, …)"),
    ],
    args: Args::Exactly(2),
    interspersed: true,
    wants_daemon: false,
    run,
};

/// Operating systems and the machines under them for which there are images.
const KNOWN: &[(&str, &[&str])] = &[
    ("darwin", &["386", "amd64", "arm", "arm64"]),
    ("dragonfly", &["amd64"]),
    ("freebsd", &["386", "amd64", "arm", "arm64"]),
    ("linux", &["386", "amd64", "arm", "arm64", "loong64", "mips64", "mips64le", "ppc64le", "riscv64", "s390x"]),
    ("netbsd", &["386", "amd64", "arm"]),
    ("openbsd", &["386", "amd64", "arm"]),
    ("plan9", &["386", "amd64"]),
    ("solaris", &["amd64"]),
    ("windows", &["386", "amd64", "arm", "arm64"]),
];

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let [list_name, image_name] = parsed.args.as_slice() else { return Err(Failure::silent(1)) };
    let named = |kind: &str, name: &str| {
        reference(name).map_err(|e| Failure::new(format!("annotate: error parsing name for {kind} {name}: {e}")))
    };
    let (list, image) = (named("manifest list", list_name)?, named("manifest", image_name)?);
    let store = Store::of(session.config());
    let Some(mut entry) = store.get(&list, &image)? else {
        return Err(Failure::new(format!("manifest for image {image_name} does not exist in {list_name}")));
    };
    let runs = entry.descriptor.platform.get_or_insert_default();
    let given = |name: &str| parsed.get(name).filter(|text| !text.is_empty());
    if given("os").is_some() || given("arch").is_some() || given("variant").is_some() {
        let (os, arch) = (given("os").unwrap_or(&runs.os), given("arch").unwrap_or(&runs.architecture));
        // `x86_64` is `amd64`, `aarch64` is `arm64`.
        let platform = Platform::new(os, arch, "");
        if !is_known(&platform) {
            return Err(Failure::new(format!(
                "manifest entry for image has unsupported os/arch combination: {os}/{arch}"
            )));
        }
        runs.os = platform.os;
        runs.architecture = platform.architecture;
        if let Some(variant) = given("variant") {
            variant.clone_into(&mut runs.variant);
        }
    }
    if let Some(version) = given("os-version") {
        version.clone_into(&mut runs.os_version);
    }
    for feature in parsed.all("os-features").flat_map(|list| list.split(',')).filter(|feature| !feature.is_empty()) {
        if runs.os_features.iter().all(|known| known != feature) {
            runs.os_features.push(feature.to_owned());
        }
    }
    store.put(&list, &image, &entry)?;
    Ok(0)
}

fn is_known(platform: &Platform) -> bool {
    KNOWN.iter().any(|(os, machines)| *os == platform.os && machines.contains(&platform.architecture.as_str()))
}
