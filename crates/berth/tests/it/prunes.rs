//! Pruning and what takes up space: `system df`, `image prune`, `system prune`, and their dry runs.

use crate::host::{Cli, Host};
use crate::registry;

rows![image_prune, system_prune, prune_asks, system_df];

fn has(host: &Host, reference: &str) -> bool {
    host.try_run(&["image", "inspect", reference]).ok()
}

fn image_prune(host: &Host) {
    let (unused, used) = (registry::reference("team/app:v2"), host.image());
    host.run(&["pull", "-q", &unused]);
    let name = host.name("user");
    host.run(&["create", "--name", &name, &used]);
    // Neither is without a name.
    assert_eq!(host.run(&["image", "prune", "-f"]), "Total reclaimed space: 0B");
    let done = host.run(&["image", "prune", "-a", "-f", "--filter", "label=no.such=label"]);
    assert_eq!(done, "Total reclaimed space: 0B");
    assert_eq!(
        host.run(&["image", "prune", "-a", "-f", "--filter", "until=2001-01-01T00:00:00Z"]),
        "Total reclaimed space: 0B"
    );
    host.try_run(&["image", "prune", "-f", "--filter", "nosuch=1"]).fails_with(1, "invalid filter 'nosuch'");
    assert!(has(host, &unused) && has(host, &used));
    if host.cli() == Cli::Ours && host.is_berth() {
        let would = host.run(&["image", "prune", "-a", "--dry-run"]);
        assert!(would.starts_with("Would delete images:\nuntagged: "), "{would}");
        assert!(would.contains(&unused) && !would.contains(&used), "{would}");
        assert!(has(host, &unused));
        let told = would.rsplit_once("Total space that would be reclaimed: ").unwrap().1.to_owned();
        let done = host.run(&["image", "prune", "-a", "-f"]);
        assert_eq!(done.rsplit_once("Total reclaimed space: ").unwrap().1, told);
        let lines = |text: &str| -> Vec<String> {
            let mut lines: Vec<_> = text
                .lines()
                .filter(|l| l.contains("tagged: ") || l.starts_with("deleted: "))
                .map(str::to_owned)
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(lines(&would), lines(&done));
    } else {
        let done = host.run(&["image", "prune", "-a", "-f"]);
        assert!(done.contains("Deleted Images:\nuntagged: ") && done.contains("deleted: sha256:"), "{done}");
        assert!(!done.contains(&used), "{done}");
    }
    // What a container needs stays, even when nothing runs.
    assert!(!has(host, &unused) && has(host, &used));
    assert_eq!(host.run(&["start", &name]), name);
    host.run(&["rm", "-f", &name]);
}

fn system_prune(host: &Host) {
    let (image, unused) = (host.image(), registry::reference("team/app:v2"));
    host.run(&["pull", "-q", &unused]);
    let (running, stopped) = (host.name("running"), host.name("stopped"));
    host.run(&["run", "-d", "--name", &running, &image, "sleep", "60"]);
    let id = host.run(&["create", "--name", &stopped, &image]);
    if host.cli() == Cli::Ours && host.is_berth() {
        let would = host.run(&["system", "prune", "-a", "--dry-run"]);
        assert!(would.contains(&format!("Would delete containers:\n{id}\n")), "{would}");
        assert!(would.contains(&format!("untagged: {unused}")), "{would}");
        assert!(host.try_run(&["inspect", &stopped]).ok() && has(host, &unused));
    }
    let done = host.run(&["system", "prune", "-f"]);
    assert!(done.contains(&format!("Deleted Containers:\n{id}\n")), "{done}");
    assert!(done.lines().last().unwrap().starts_with("Total reclaimed space: "), "{done}");
    assert!(!host.try_run(&["inspect", "--type", "container", &stopped]).ok());
    assert!(has(host, &unused));
    let done = host.run(&["system", "prune", "-a", "-f"]);
    assert!(done.contains("Deleted Images:\n"), "{done}");
    assert!(!has(host, &unused) && has(host, &image));
    assert_eq!(host.inspect(&running, "{{.State.Status}}"), "running");
    host.run(&["rm", "-f", &running]);
}

fn prune_asks(host: &Host) {
    let ask = |args: &[&str], answer: &str| host.run_with_input(args, answer.as_bytes());
    let done = ask(&["system", "prune", "-a", "--volumes", "--filter", "label=a=b"], "n\n");
    assert!(done.out.starts_with("WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n  - all anonymous volumes not used by at least one container\n  - all images without at least one container associated to them\n  - all build cache\n\n  Items to be pruned will be filtered with:\n  - label=a=b\n\nAre you sure you want to continue? [y/N]"), "{}", done.out);
    assert!(!done.out.contains("Total"), "{}", done.out);
    let done = ask(&["image", "prune"], "y\n");
    assert!(
        done.out
            .starts_with("WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N]"),
        "{}",
        done.out
    );
    assert!(done.out.ends_with("Total reclaimed space: 0B"), "{}", done.out);
    let done = host.try_run(&["system", "prune", "-f", "--volumes", "--filter", "until=1h"]);
    assert!(
        !done.ok() && done.err.contains("The \"until\" filter is not supported with \"--volumes\""),
        "{}",
        done.err
    );
    let done = ask(&["network", "prune"], "n\n");
    assert!(
        done.out.starts_with("WARNING! This will remove all custom networks not used by at least one container."),
        "{}",
        done.out
    );
    assert_eq!(host.run(&["network", "prune", "-f"]).replace("Total reclaimed space: 0B", ""), "");
}

fn system_df(host: &Host) {
    let (image, name) = (host.image(), host.name("df"));
    host.run(&["run", "--name", &name, &image, "sh", "-c", "echo 1234567 > /written"]);
    let table = host.run(&["system", "df"]);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]);
    assert_eq!(
        lines.iter().map(|line| line[0]).collect::<Vec<_>>(),
        ["TYPE", "Images", "Containers", "Local", "Build"]
    );
    assert_eq!(lines[2][1..3], ["1", "0"]);
    assert!(lines[2].last().unwrap().ends_with("(100%)"), "{table}");
    let own = host.run(&["system", "df", "--format", "{{.Type}}={{.TotalCount}}"]);
    assert!(own.contains("Containers=1") && own.contains("Local Volumes="), "{own}");
    assert!(host.run(&["system", "df", "--format", "json"]).lines().all(|line| line.starts_with("{\"Active\":")));
    let verbose = host.run(&["system", "df", "-v"]);
    for heading in
        ["Images space usage:", "Containers space usage:", "Local Volumes space usage:", "Build cache usage: 0B"]
    {
        assert!(verbose.contains(heading), "{verbose}");
    }
    assert!(verbose.lines().any(|line| line.ends_with(&name)), "{verbose}");
    host.run(&["rm", &name]);
}
