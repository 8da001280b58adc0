//! `docs/not-yet.md`: written from the tables, so that it cannot lie. A test compares; `BERTH_BLESS=1` rewrites.

use std::fmt::Write as _;

use crate::flags::{FLAGS, Status};
use crate::route::{Action, OPERATIONS};
use crate::wire::refused::REFUSED;

/// The page.
fn page() -> String {
    let mut page = String::from(HEAD);
    operations(&mut page);
    options(&mut page);
    flags(&mut page);
    page.push_str(TAIL);
    page
}

const HEAD: &str = "# What berth does not do yet

Written from the tables in `crates/berth-daemon` by its tests (`BERTH_BLESS=1 cargo test -p berth-daemon not_yet`); it only
shrinks. Everything here is refused with a sentence, never ignored.

";

const TAIL: &str = "
## Known of images, and without effect so far

An image may say these things; its containers run without them.

- `EXPOSE`: shown, as in Docker; nothing can be published yet.
- `ONBUILD`, `SHELL`: they matter to builds only.
";

fn operations(page: &mut String) {
    page.push_str("## API operations\n\nAnswered with 501 and \"berth does not … yet\".\n\n| operation | berth does not |\n|---|---|\n");
    for operation in OPERATIONS {
        if let Action::NotYet(what) = operation.action {
            let _ = writeln!(page, "| `{} {}` | {what} |", operation.method, operation.pattern);
        }
    }
    page.push_str("| `POST /containers/{name}/start?checkpoint=…` | start containers from checkpoints |\n");
    page.push_str("| `DELETE /containers/{name}?link=1` | link containers |\n");
    page.push_str("\nAnswered with 503, as by an engine that is no swarm manager:\n\n");
    for operation in OPERATIONS {
        if matches!(operation.action, Action::Swarm) {
            let _ = writeln!(page, "- `{} {}`", operation.method, operation.pattern);
        }
    }
}

fn options(page: &mut String) {
    page.push_str("\n## Options of `create` and `run`\n\n| field | flag | berth does not |\n|---|---|---|\n");
    for refused in REFUSED {
        let flag = if refused.flag.is_empty() { String::new() } else { format!("`{}`", refused.flag) };
        let _ = writeln!(page, "| `{}` | {flag} | {} |", refused.field, refused.what);
    }
}

fn flags(page: &mut String) {
    page.push_str(
        "\n## Options of `berth daemon` and keys of `daemon.json`\n\n| flag | key | accepted |\n|---|---|---|\n",
    );
    for flag in FLAGS {
        let accepted = match flag.status {
            Status::Honoured => continue,
            Status::Only(values) => {
                format!("only {}", values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "))
            }
            Status::NotYet => "no".to_owned(),
        };
        let key = if flag.key.is_empty() { String::new() } else { format!("`{}`", flag.key) };
        let _ = writeln!(page, "| `--{}` | {key} | {accepted} |", flag.long);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::path::Path;

    #[test]
    fn not_yet_page_is_true() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/not-yet.md");
        let page = super::page();
        if std::env::var_os("BERTH_BLESS").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &page).unwrap();
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == page, "docs/not-yet.md is not what the tables say: run this test with BERTH_BLESS=1");
    }
}
